"""The file of the embedded store."""

import stat
from pathlib import Path

from kubepy.storage.sqlite_log import SqliteLog


def test_nobody_but_its_owner_reads_it(tmp_path: Path) -> None:
    log = SqliteLog(str(tmp_path / "state.db"), synced=False)
    log.commit([])
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    log.close()
