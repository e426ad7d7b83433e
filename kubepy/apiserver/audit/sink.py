"""The audit log on disk: a JSON line an event, written by a thread of its own, rotated by size, kept by count and age.

Several processes may write one log: each writes whole lines at its end, and one of them rotates it.
Rotated files are named as upstream's (`audit-2026-01-02T03-04-05.678.log`), so that its log shippers find them.
Source: apiserver plugin/pkg/audit/log; gopkg.in/natefinch/lumberjack.
"""

import contextlib
import fcntl
import gzip
import io
import os
import queue
import shutil
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kubepy.apiserver.audit.encoding import as_text, fitting
from kubepy.apiserver.audit.metrics import AuditMetrics
from kubepy.lib import log

_MEGABYTE = 1 << 20
_WRITTEN_AT_ONCE = 256 << 10
_log = log.get(__name__)


class AuditFile:
    """Appends events to `path` (`-`: standard output). Zero for backups or days: without limit.

    `compress` makes `.gz` of what is rotated; events larger than `most_event_bytes` lose their bodies. `is_text` is the
    format of old, a line of text an event.
    """

    def __init__(
        self,
        path: str,
        *,
        most_mb: int = 100,
        backups: int = 0,
        days: int = 0,
        compress: bool = False,
        is_text: bool = False,
        most_event_bytes: int | None = None,
        metrics: AuditMetrics | None = None,
    ) -> None:
        self._path = Path(path)
        self._stdout = path == "-"
        self._most_bytes = most_mb * _MEGABYTE
        self._backups = backups
        self._days = days
        self._compress = compress
        self._is_text = is_text
        self._most_event_bytes = most_event_bytes
        self._metrics = metrics or AuditMetrics()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="audit log", daemon=True)
        self._thread.start()

    def write(self, event: Mapping[str, Any]) -> None:
        """Hands over an event; it is on disk soon after."""
        line = as_text(event) if self._is_text else fitting(event, self._most_event_bytes)
        if line is None:
            self._metrics.errors["truncate"] += 1
            _log.error("audit event is too large", id=event.get("auditID"))
        else:
            self._lines.put(line + b"\n")

    async def settle(self) -> None:
        """At once: the thread writes what was handed over."""

    def close(self) -> None:
        """Writes what was handed over, then ends."""
        self._lines.put(None)
        self._thread.join()

    def _work(self) -> None:
        target = self._open()
        while lines := self._gather():
            unwritten = memoryview(b"".join(lines))
            if not self._stdout:
                target = self._with_room(target, len(unwritten))
            while unwritten:
                unwritten = unwritten[target.write(unwritten) :]
        target.close()

    def _gather(self) -> list[bytes]:
        """Whole lines to write at once; none at the end."""
        lines: list[bytes] = []
        size = 0
        while not self._ended and size < _WRITTEN_AT_ONCE and not (lines and self._lines.empty()):
            line = self._lines.get()
            if line is None:
                self._ended = True
            else:
                lines.append(line)
                size += len(line)
        return lines

    def _with_room(self, target: io.FileIO, size: int) -> io.FileIO:
        """The log that so many bytes go to: another one where it was full, or another process has rotated it."""
        held = os.fstat(target.fileno())
        if self._is_at_path(held) and (not held.st_size or held.st_size + size <= self._most_bytes):
            return target
        fcntl.flock(target, fcntl.LOCK_EX)  # until it is closed: of several processes one rotates
        if self._is_at_path(held):
            self._rotate(datetime.now(UTC))
        target.close()
        return self._open()

    def _is_at_path(self, held: os.stat_result) -> bool:
        try:
            return os.path.samestat(held, self._path.stat())
        except FileNotFoundError:
            return False

    def _rotated_name(self, now: datetime) -> Path:
        stamp = now.strftime("%Y-%m-%dT%H-%M-%S.") + f"{now.microsecond // 1000:03}"
        return self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")

    def _open(self) -> io.FileIO:
        if self._stdout:
            return io.FileIO(1, "w", closefd=False)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return io.FileIO(self._path, "a", opener=_for_its_owner)

    def _rotate(self, now: datetime) -> None:
        while (target := self._rotated_name(now)).exists():
            now += timedelta(milliseconds=1)
        self._path.rename(target)
        if self._compress:
            _compress(target)
        kept = sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}*"), reverse=True)
        for old in kept[self._backups :] if self._backups else []:
            old.unlink(missing_ok=True)
        oldest = (now - timedelta(days=self._days)).timestamp()
        for old in kept[: self._backups] if self._backups else kept:
            if self._days and old.stat().st_mtime < oldest:
                old.unlink(missing_ok=True)


def _for_its_owner(path: str, flags: int) -> int:
    """Opens a file that nobody else may read: bodies of requests may be secrets."""
    return os.open(path, flags, 0o600)


def _compress(path: Path) -> None:
    packed = path.with_name(f"{path.name}.gz")
    with path.open("rb") as plain, io.FileIO(packed, "w", opener=_for_its_owner) as raw, gzip.open(raw, "wb") as out:
        shutil.copyfileobj(plain, out)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
