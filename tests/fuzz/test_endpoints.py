"""Whatever is asked of whichever endpoint is answered, at once, and never with a crash."""

import uvloop

from tests.fuzz.endpoints import fuzz

_REQUESTS = 20_000


def test_every_endpoint_answers_whatever_it_is_asked() -> None:
    report = uvloop.run(fuzz(20261126, lambda count: count < _REQUESTS))
    assert report.faults == []
    assert report.tasks_left <= 0
    assert len({code for _, code in report.codes}) > 10
    written = sum(count for (method, code), count in report.codes.items() if method != "GET" and code < 300)
    assert written > _REQUESTS / 40  # or else it would only have knocked at doors
