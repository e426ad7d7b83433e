"""A memory that forgets by itself."""

from kubepy.lib.expiring import Expiring


def test_each_entry_ends_in_its_own_time() -> None:
    now = [0.0]
    known: Expiring[str, int] = Expiring(9, lambda: now[0])
    known.put("a", 1, 10)
    known.put("b", 2, 20)
    known.put("c", 3, 0)
    assert [known.get(key) for key in "abc"] == [1, 2, None]
    now[0] = 10.0
    assert [known.get(key) for key in "ab"] == [None, 2]
    known.clear()
    assert known.get("b") is None


def test_the_oldest_make_room() -> None:
    known: Expiring[str, int] = Expiring(2)
    for number, key in enumerate("abca"):
        known.put(key, number, 60)
    assert [known.get(key) for key in "abc"] == [3, None, 2]
