"""What --runtime-config may say: which versions of the API are on, where only stable ones are there and none goes off.

Asking for all of a sort, `api/beta=true`, turns on what there is of it; a version by name must be there.
Source: apiserver pkg/server/options/api_enablement.go, pkg/server/resourceconfig/helpers.go.
"""

from collections.abc import Iterator, Mapping

from kubepy.api import resources

_VERSIONS = frozenset((row.group, row.version) for row in resources.BUILT_IN)
_GROUPS = frozenset(group for group, _ in _VERSIONS)
_SORTS = ("api/all", "api/ga", "api/beta", "api/alpha", "api/legacy")
_STABLE = ("api/all", "api/ga")
_CORE = ("v1", "api/v1")


def enablement_faults(wanted: Mapping[str, str]) -> Iterator[str]:
    """What is asked for and not to be had, in upstream's words where it has some."""
    for key, text in wanted.items():
        if text.lower() not in ("", "true", "false", "1", "0", "t", "f"):
            yield f"invalid value of {key}: {text}"
            continue
        is_on = text.lower() in ("", "true", "1", "t")
        if key in _SORTS:
            if key in _STABLE and not is_on:
                yield _not_off(key)
        elif key in _CORE:
            if not is_on:
                yield _not_off(key)
        else:
            yield from _version_faults(key, is_on=is_on)


def _version_faults(key: str, *, is_on: bool) -> Iterator[str]:
    group, slash, version = key.partition("/")
    version, of_resource, _ = version.partition("/")
    if not slash or not group or not version:
        yield f"runtime-config invalid key {key}"
    elif group not in _GROUPS:
        if is_on:
            yield f"unknown api groups {group}"
    elif (group, version) not in _VERSIONS:
        if is_on:
            yield f"group version {group}/{version} that has not been registered"
    elif not is_on:
        yield _not_off(key)
    elif of_resource:
        yield f"--runtime-config {key} is not supported: versions are on with all their resources"


def _not_off(key: str) -> str:
    return f"--runtime-config {key}=false is not supported: stable versions are always served"
