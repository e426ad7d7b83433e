"""Between the version of a request and the version that is stored, where the two differ.

Only a few kinds have two served versions (events, autoscalers), and custom ones, of which only the apiVersion changes;
for all others nothing happens here.
"""

from kubepy.api import convert
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.meta import Object
from kubepy.apiserver.registry.served import Served


def to_storage(served: Served, obj: Object) -> Object:
    """An object of the request's version as the version to store."""
    return _at(served, obj, served.storage.api_version) if served.converts else obj


def from_storage(served: Served, obj: Object) -> Object:
    """A stored object as the request's version."""
    return _at(served, obj, served.resource.api_version) if served.converts else obj


def _at(served: Served, obj: Object, api_version: str) -> Object:
    if served.custom is not None:
        return {**obj, "apiVersion": api_version}
    return convert.convert(obj, api_version)


def complete(served: Served, obj: Object) -> None:
    """Sets in place what the user left out of an object at the request's version."""
    if served.custom is not None:
        served.custom.fill_defaults(obj)
    else:
        apply_defaults(served.resource.api_version, served.resource.kind, obj)
