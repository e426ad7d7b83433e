"""Warnings about files of a volume that would hide each other: one path twice, or one below another.

Source: pkg/api/pod/warnings.go, warningsForOverlappingVirtualPaths.
"""

from collections.abc import Iterable, Iterator

from kubepy.api.meta import Object

_NAMES = {"configMap": ("ConfigMap", "name"), "secret": ("Secret", "secretName")}
_PARTS = (
    ("certificateChainPath", "chain"), ("keyPath", "key"), ("credentialBundlePath", "credential bundle"),
)  # fmt: skip


def warn_of_overlaps(volumes: Iterable[Object]) -> Iterator[str]:
    """Of each volume by itself: two volumes are mounted in two places."""
    for volume in volumes:
        name = volume.get("name") or ""
        for kind, (noun, field) in _NAMES.items():
            if source := volume.get(kind):
                what = f'{noun} "{source.get(field) or ""}"'
                yield from _told(name, what, [(path, "") for path in _paths(source)])
        if downward := volume.get("downwardAPI"):
            yield from _told(name, "DownwardAPI", [(path, "") for path in _paths(downward)])
        if projected := volume.get("projected"):
            sources = projected.get("sources") or ()
            empty = [source for source in sources if not any(part is not None for part in source.values())]
            yield from (f'volume "{name}" (Projected) has no sources provided' for _ in empty)
            yield from _told(name, "Projected", [found for source in sources for found in _projected(source)])


def _paths(source: Object) -> list[str]:
    return [item.get("path") or "" for item in source.get("items") or ()]


def _projected(source: Object) -> list[tuple[str, str]]:
    """The paths of one source of a projected volume, each with what it is of."""
    for kind, (noun, _) in _NAMES.items():
        if (found := source.get(kind)) is not None and found.get("items") is not None:
            return [(path, f'{noun} "{found.get("name") or ""}"') for path in _paths(found)]
    if (downward := source.get("downwardAPI")) is not None and downward.get("items") is not None:
        return [(path, "DownwardAPI") for path in _paths(downward)]
    if (token := source.get("serviceAccountToken")) is not None:
        return [(token.get("path") or "", "ServiceAccountToken")]
    if (bundle := source.get("clusterTrustBundle")) is not None:
        named = bundle.get("name") or bundle.get("signerName") or ""
        return [(bundle.get("path") or "", f'ClusterTrustBundle "{named}"')]
    certificate = source.get("podCertificate") or {}
    return [(certificate[field], f"PodCertificate {part}") for field, part in _PARTS if certificate.get(field)]


def _told(volume: str, what: str, found: list[tuple[str, str]]) -> Iterator[str]:
    seen: list[tuple[str, str]] = []
    for path, source in found:
        path = path.rstrip("/")
        for other, other_source in seen:
            if path and other and (f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")):
                pair = f"{_shown(path, source)} with {_shown(other, other_source)}"
                yield f'volume "{volume}" ({what}): overlapping paths: {pair}'
        seen.append((path, source))


def _shown(path: str, source: str) -> str:
    return f'"{path}" ({source})' if source else f'"{path}"'
