"""How many seats a request takes: one, but for lists and bodies that are waited for, whose memory is what counts.

A write takes one as well: telling an event to its watchers costs little here, so that there is nothing to wait for.
Source: apiserver pkg/util/flowcontrol/request/list_work_estimator.go.
"""

from collections.abc import Callable
from typing import Final

from kubepy.apiserver.http.options import Params, first, flag
from kubepy.apiserver.http.request_info import RequestInfo

_BYTES_A_SEAT: Final = 100_000
_MOST_BYTES: Final = 1_000_000
"""What a list that is served from the cache is taken to hold at once, at most."""

Sizes = Callable[[RequestInfo], tuple[int, int] | None]
"""Number and mean bytes of the objects of a resource; None where they are kept elsewhere."""


def list_seats(info: RequestInfo, params: Params, sizes: Sizes, widest: int) -> int:
    """The seats of a list, or of a watch that begins with one: by the bytes of the objects that it may show."""
    if info.verb == "watch" and not flag(params, "sendInitialEvents"):
        return 1
    if info.name:
        return 1
    found = sizes(info)
    if found is None:
        return 1
    count, mean_bytes = found
    limit = first(params, "limit")
    if limit.isdecimal() and 0 < int(limit) < count:
        count = int(limit)
    return seats_of_bytes(min(count * mean_bytes, _MOST_BYTES), widest)


def seats_of_bytes(size: int, widest: int) -> int:
    """The seats of a request that holds so much memory."""
    return max(1, min(-(-size // _BYTES_A_SEAT), widest))
