"""How many seats a request takes."""

import pytest

from kubepy.apiserver.flowcontrol.width import list_seats, seats_of_bytes
from kubepy.apiserver.http.request_info import RequestInfo


@pytest.mark.parametrize(
    ("verb", "name", "params", "sizes", "seats"),
    [
        ("list", "", {}, (40, 5000), 2),
        ("list", "", {}, (2000, 5000), 10),
        ("list", "", {"limit": ["60"]}, (2000, 5000), 3),
        ("list", "", {"limit": ["junk"]}, (2000, 5000), 10),
        ("list", "one", {}, (2000, 5000), 1),
        ("list", "", {}, (0, 0), 1),
        ("list", "", {}, None, 1),
        ("watch", "", {}, (2000, 5000), 1),
        ("watch", "", {"sendInitialEvents": ["true"]}, (2000, 5000), 10),
    ],
)
def test_lists_are_as_wide_as_what_they_show(
    verb: str, name: str, params: dict[str, list[str]], sizes: tuple[int, int] | None, seats: int
) -> None:
    info = RequestInfo(verb, "", True, "", "v1", "pods", name=name)
    assert list_seats(info, params, lambda _: sizes, 10) == seats


def test_a_level_bounds_the_width() -> None:
    info = RequestInfo("list", "", True, "", "v1", "pods")
    assert list_seats(info, {}, lambda _: (2000, 5000), 4) == 4


def test_bodies_that_are_waited_for_are_as_wide_as_the_memory_that_they_may_take() -> None:
    assert [seats_of_bytes(size, 10) for size in (1, 100_000, 250_000, 3 << 20)] == [1, 1, 3, 10]
