"""Files that are written, replaced or moved away are noticed."""

import asyncio
import os
from pathlib import Path

from kubepy.lib.file_watch import follow, signature


def test_any_way_of_changing_a_file_changes_its_signature(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    link = tmp_path / "link"
    first.write_text("a")
    second.write_text("a")
    os.utime(second, ns=(first.stat().st_atime_ns, first.stat().st_mtime_ns))
    link.symlink_to(first)
    seen = [signature([link])]
    link.unlink()
    seen.append(signature([link]))
    link.symlink_to(second)
    seen.append(signature([link]))
    second.write_text("longer")
    seen.append(signature([link]))
    assert len(set(seen)) == 4
    assert seen[1] == (None,)


def test_a_change_since_the_file_was_read_is_told_once(tmp_path: Path) -> None:
    async def run() -> None:
        path, told = tmp_path / "file", asyncio.Event()
        count = 0

        async def changed() -> None:
            nonlocal count
            count += 1
            told.set()

        path.write_text("read")
        before = signature([path])
        path.write_text("written before anyone looked")
        watching = asyncio.create_task(follow([path], changed, since=before, period_s=0.001))
        async with asyncio.timeout(10):
            await told.wait()
            told.clear()
            path.write_text("again, and longer than before it")
            await told.wait()
        watching.cancel()
        assert count == 2

    asyncio.run(run())
