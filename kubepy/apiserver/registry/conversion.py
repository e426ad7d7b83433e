"""Between the version of a request and the version that is stored, where the two differ.

Only a few kinds have two served versions (events, autoscalers); for all others nothing happens here.
"""

from kubepy.api import convert
from kubepy.api.meta import Object
from kubepy.apiserver.registry.served import Served


def to_storage(served: Served, obj: Object) -> Object:
    """An object of the request's version as the version to store."""
    return convert.convert(obj, served.storage.api_version) if served.converts else obj


def from_storage(served: Served, obj: Object) -> Object:
    """A stored object as the request's version."""
    return convert.convert(obj, served.resource.api_version) if served.converts else obj
