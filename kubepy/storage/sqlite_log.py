"""The embedded store's log on disk: one row a write, in SQLite with write-ahead logging.

A row is (revision, key, value or NULL for a delete, revision of the version it replaced or 0, time of expiry).
The newest row of a key is its present state. Used by one thread at a time; a commit that returned is on disk
(`synchronous=FULL` syncs the write-ahead log), and a process that is killed leaves whole commits only.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kubepy.storage.base import Change, Compacted, Entry, KeyMissing, StoreError

FIRST_REVISION = 1
"""The revision of an empty store, as etcd counts."""

_IN_MEMORY = ":memory:"
_LOCK_WAIT_S = 1.0
"""How long a process that is just ending may still hold the file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, replaced INTEGER NOT NULL, expires REAL);
CREATE INDEX IF NOT EXISTS log_by_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
_LIVE = """
SELECT key, value, revision FROM log AS found
WHERE key >= ? AND key < ? AND revision <= ? AND value IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM log AS newer
                  WHERE newer.key = found.key AND newer.revision > found.revision AND newer.revision <= ?)
ORDER BY key
"""
_SUPERSEDED = """
DELETE FROM log WHERE revision <= ?1 AND (value IS NULL OR EXISTS (
    SELECT 1 FROM log AS newer WHERE newer.key = log.key AND newer.revision > log.revision AND newer.revision <= ?1))
"""
_HISTORY = """
SELECT log.key, log.value, log.revision, before.value FROM log LEFT JOIN log AS before ON before.revision = log.replaced
WHERE log.revision > ? AND log.revision <= ? AND log.key >= ? AND log.key < ? ORDER BY log.revision
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A write that was decided: `value` None deletes, `replaced` is the revision it replaces, 0 for none."""

    revision: int
    key: str
    value: bytes | None
    replaced: int
    expires: float | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a log holds when it is opened: `live` are the present keys with their revision and time of expiry."""

    revision: int
    live: Sequence[tuple[str, int, float | None]]


def _end_of(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _make_for_its_owner(path: str) -> None:
    """A new file is its owner's to read alone, and so are those that SQLite puts beside it: it may hold secrets."""
    with suppress(OSError):  # what is wrong with the place, SQLite tells
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))


class SqliteLog:
    """See the module's docstring; `path` may be ":memory:"."""

    def __init__(self, path: str, *, synced: bool) -> None:
        if path != _IN_MEMORY:
            _make_for_its_owner(path)
        self._db = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._db.executescript(_SCHEMA)
            found = self._db.execute("SELECT number FROM state WHERE name = 'compacted'").fetchone()
        except sqlite3.Error as error:
            self._db.close()
            raise StoreError(f"cannot open {path}: {error}") from error
        self.compacted: int = found[0] if found else 0

    def load(self) -> Loaded:
        newest = self._db.execute("SELECT max(revision) FROM log").fetchone()[0] or 0
        rows = self._db.execute("SELECT key, max(revision), expires, value IS NULL FROM log GROUP BY key")
        live = [(key, revision, expires) for key, revision, expires, deleted in rows if not deleted]
        return Loaded(max(newest, self.compacted, FIRST_REVISION), live)

    def commit(self, rows: Sequence[Row]) -> list[Change]:
        """Appends the rows in one transaction; the changes that they are. Raises sqlite3.Error, having done nothing."""
        db = self._db
        changes = []
        db.execute("BEGIN")
        try:
            for row in rows:
                previous = None
                if row.replaced:
                    previous = db.execute("SELECT value FROM log WHERE revision = ?", (row.replaced,)).fetchone()[0]
                db.execute(
                    "INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                    (row.revision, row.key, row.value, row.replaced, row.expires),
                )
                changes.append(Change(row.key, row.value, row.revision, previous))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return changes

    def get(self, key: str) -> Entry:
        found = self._db.execute(
            "SELECT value, revision FROM log WHERE key = ? ORDER BY revision DESC LIMIT 1", (key,)
        ).fetchone()
        if found is None or found[0] is None:
            raise KeyMissing(key)
        return Entry(key, found[0], found[1])

    def list(self, prefix: str, revision: int) -> list[Entry]:
        if revision < self.compacted:
            raise Compacted(self.compacted)
        rows: Iterable[tuple[str, bytes, int]] = self._db.execute(_LIVE, (prefix, _end_of(prefix), revision, revision))
        return [Entry(*row) for row in rows]

    def history(self, prefix: str, after: int, until: int) -> Sequence[Change]:
        if after < self.compacted:
            raise Compacted(self.compacted)
        rows = self._db.execute(_HISTORY, (after, until, prefix, _end_of(prefix)))
        return [Change(*row) for row in rows]

    def compact(self, revision: int) -> None:
        """Drops what was superseded or deleted at `revision` or before; state at `revision` stays readable."""
        if revision <= self.compacted:
            return
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(_SUPERSEDED, (revision,))
            self._db.execute("INSERT OR REPLACE INTO state VALUES ('compacted', ?)", (revision,))
        self.compacted = revision

    def close(self) -> None:
        self._db.close()
