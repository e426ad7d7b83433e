"""What schemathesis asks of every group's published document is answered as it should be, by a server that lives on."""

import asyncio
from pathlib import Path

from tests.fuzz.published import MEMORY_BOUND_MB, run

_OPERATIONS = 80


def test_what_is_published_can_be_asked_for_in_any_way(tmp_path: Path) -> None:
    report = asyncio.run(run(tmp_path, 20261126, lambda done: done < _OPERATIONS, each=2))
    assert report.faults == []
    assert report.memory_mb < MEMORY_BOUND_MB
    assert report.count > _OPERATIONS * 4
    assert {code for _, code in report.codes} >= {200, 400, 404, 422}
