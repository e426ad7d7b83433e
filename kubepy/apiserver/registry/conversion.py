"""Between the version of a request and the version that is stored, where the two differ.

Only a few kinds have two served versions (events, autoscalers), and custom ones. Of those without a webhook only the
apiVersion changes; with one (`served.converter`) a write works on the object at the request's version and converts
what it stores, a read converts what it answers: the functions that may wait do that, for the others nothing differs.
"""

from kubepy.api import convert
from kubepy.api.defaults.registry import apply_defaults
from kubepy.api.meta import Object
from kubepy.apiserver.registry.codec import decode_stored
from kubepy.apiserver.registry.result import Result
from kubepy.apiserver.registry.served import Served


def to_storage(served: Served, obj: Object) -> Object:
    """An object of the request's version as the version that writes work on."""
    return _at(served, obj, served.storage.api_version) if served.converts else obj


def from_storage(served: Served, obj: Object) -> Object:
    """What to_storage made, or what `read` did, as the request's version."""
    return _at(served, obj, served.resource.api_version) if served.converts else obj


def _at(served: Served, obj: Object, api_version: str) -> Object:
    if served.converter is not None:
        return obj
    if served.custom is not None:
        return {**obj, "apiVersion": api_version}
    return convert.convert(obj, api_version)


async def read(served: Served, objects: list[Object]) -> list[Object]:
    """Stored objects, as writes work on them and answers show them where a webhook converts."""
    if served.converter is None:
        return objects
    found = await served.converter.convert(objects, served.resource.api_version)
    for obj in found:
        complete(served, obj)
    return found


async def read_one(served: Served, obj: Object) -> Object:
    """As `read`."""
    return obj if served.converter is None else (await read(served, [obj]))[0]


async def answered(served: Served, result: Result) -> Result:
    """A result that can be answered: what is in it is of the request's version, if only a webhook can see to it."""
    if served.converter is None or not served.converts or result.foreign:
        return result
    obj = decode_stored(result.data) if result.data is not None else result.obj
    assert obj is not None
    return Result(result.status, obj=await read_one(served, obj))


async def stored(served: Served, obj: Object) -> Object:
    """What to store, of an object that a write has worked on."""
    if served.converter is None:
        return obj
    return (await served.converter.convert([obj], served.storage.api_version))[0]


def complete(served: Served, obj: Object) -> None:
    """Sets in place what the user left out of an object at the request's version."""
    if served.custom is not None:
        served.custom.fill_defaults(obj)
    else:
        apply_defaults(served.resource.api_version, served.resource.kind, obj)
