"""When those who are turned away are told to come again."""

from kubepy.apiserver.flowcontrol.retry_after import MOST_S, RetryAfter


def test_it_doubles_while_many_are_dropped_and_shrinks_when_few_are() -> None:
    found = RetryAfter()
    seen = []
    for second in range(100, 300):
        for _ in range(500):
            found.dropped(second)
        seen.append(found.seconds)
    assert seen[0] == 1
    assert sorted(set(seen)) == [1, 2, 4, 8, 16, 32]
    assert seen == sorted(seen)
    assert seen[-1] == MOST_S
    for second in range(400, 4000, 100):
        found.dropped(second)
    assert found.seconds == 1
