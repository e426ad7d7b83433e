"""How long calls of a store take, by operation and resource."""

from time import perf_counter
from typing import Final

from kubepy.lib.distribution import Distribution

BOUNDS_S: Final = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
Durations = dict[tuple[str, str], Distribution]
"""By operation and folder below /registry/."""


class Timing:
    """Measures what is done in its block, however it ends."""

    __slots__ = ("_began", "_found")

    def __init__(self, durations: Durations, operation: str, key: str) -> None:
        labels = (operation, _folder_of(key))
        found = durations.get(labels)
        if found is None:
            found = durations[labels] = Distribution(BOUNDS_S)
        self._found = found
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._found.add(perf_counter() - self._began)


def _folder_of(key: str) -> str:
    """`pods` of `/registry/pods/...`; some have two parts: `example.com/widgets`, `services/specs`."""
    parts = key.split("/", 4)
    if len(parts) > 4 and ("." in parts[2] or parts[2] == "services"):
        return f"{parts[2]}/{parts[3]}"
    return parts[2] if len(parts) > 2 else ""
