"""The audit log on disk: a JSON line an event, written by a thread of its own, rotated by size, kept by count and age.

Rotated files are named as upstream's (`audit-2026-01-02T03-04-05.678.log`), so that its log shippers find them.
Source: apiserver plugin/pkg/audit/log; gopkg.in/natefinch/lumberjack.
"""

import queue
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import orjson

_MEGABYTE = 1 << 20


class AuditFile:
    """Appends events to `path` (`-`: standard output). Zero for backups or days: without limit."""

    def __init__(self, path: str, *, most_mb: int = 100, backups: int = 0, days: int = 0) -> None:
        self._path = Path(path)
        self._stdout = path == "-"
        self._most_bytes = most_mb * _MEGABYTE
        self._backups = backups
        self._days = days
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="audit log", daemon=True)
        self._thread.start()

    def write(self, event: Mapping[str, Any]) -> None:
        """Hands over an event; it is on disk soon after."""
        self._lines.put(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Writes what was handed over, then ends."""
        self._lines.put(None)
        self._thread.join()

    def _work(self) -> None:
        target = self._open()
        while (line := self._lines.get()) is not None:
            if not self._stdout and target.tell() + len(line) > self._most_bytes and target.tell():
                target.close()
                self._rotate(datetime.now(UTC))
                target = self._open()
            target.write(line)
            if self._lines.empty():
                target.flush()
        target.flush()
        if not self._stdout:
            target.close()

    def _rotated_name(self, now: datetime) -> Path:
        stamp = now.strftime("%Y-%m-%dT%H-%M-%S.") + f"{now.microsecond // 1000:03}"
        return self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")

    def _open(self) -> IO[bytes]:
        if self._stdout:
            return sys.stdout.buffer
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.open("ab")

    def _rotate(self, now: datetime) -> None:
        while (target := self._rotated_name(now)).exists():
            now += timedelta(milliseconds=1)
        self._path.rename(target)
        kept = sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"), reverse=True)
        for old in kept[self._backups :] if self._backups else []:
            old.unlink(missing_ok=True)
        oldest = (now - timedelta(days=self._days)).timestamp()
        for old in kept[: self._backups] if self._backups else kept:
            if self._days and old.stat().st_mtime < oldest:
                old.unlink(missing_ok=True)
