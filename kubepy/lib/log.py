"""Log lines are facts with fields: `log.info("scaled", key=key, old=2, new=5)`.

A line has klog's head (level, time, component) and logfmt fields, or is one JSON object with the keys of upstream's
(--logging-format=json, component-base/logs/json). Records pass through a queue, so that a
slow disk or terminal never holds the event loop. Verbosity counts as upstream's `--v`: 4 and more is DEBUG.
"""

import atexit
import logging
import logging.handlers
import queue
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_ROOT = "kubepy"
_DEBUG_FROM = 4
FORMATS = ("json", "text")
_LETTERS = {logging.DEBUG: "D", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E"}


class Logger:
    """The verbs that kubepy logs with; each takes a fact and its fields."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, fact: str, /, **fields: Any) -> None:
        """Nothing to do, or why nothing was done."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._logger.debug(fact, extra={"fields": fields}, stacklevel=2)

    def info(self, fact: str, /, **fields: Any) -> None:
        """What changed, and why."""
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(fact, extra={"fields": fields}, stacklevel=2)

    def warning(self, fact: str, /, **fields: Any) -> None:
        """A person may have to act."""
        self._logger.warning(fact, extra={"fields": fields}, stacklevel=2)

    def error(self, fact: str, /, *, error: BaseException | None = None, **fields: Any) -> None:
        """A fault; with `error`, its trace."""
        self._logger.error(fact, exc_info=error, extra={"fields": fields}, stacklevel=2)

    def exception(self, fact: str, /, **fields: Any) -> None:
        """A fault, with the trace of the exception that is being handled."""
        self._logger.error(fact, exc_info=True, extra={"fields": fields}, stacklevel=2)


def get(name: str) -> Logger:
    """The logger of a module; call it with `__name__`."""
    return Logger(logging.getLogger(name))


class Formatter(logging.Formatter):
    """`I1122 23:45:00.123456 kubelet] started pod=default/web`."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC)
        letter = _LETTERS.get(record.levelno, "I")
        line = f"{letter}{when:%m%d %H:%M:%S.%f} {self._component}] {record.getMessage()}"
        for name, value in getattr(record, "fields", {}).items():
            line += f" {name}={render_field(value)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """`{"ts":1700000000000.123,"caller":"kubelet/pods.py:7","msg":"started","v":0,"pod":"default/web"}`.

    `ts` counts milliseconds. Faults have `err`, and no `v`, which is for lines that verbosity chooses.
    """

    def format(self, record: logging.LogRecord) -> str:
        folder, _, name = record.pathname.rpartition("/")
        line: dict[str, Any] = {
            "ts": record.created * 1000,
            "caller": f"{folder.rpartition('/')[2]}/{name}:{record.lineno}",
            "msg": record.getMessage(),
        }
        if record.levelno < logging.ERROR:
            line["v"] = _DEBUG_FROM if record.levelno <= logging.DEBUG else 0
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in line}
        if record.exc_info:
            line["err"] = str(record.exc_info[1])
            line["stacktrace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def render_field(value: Any) -> str:
    """A field's value in logfmt: quoted where it has spaces, quotes or is empty."""
    text = value if isinstance(value, str) else str(value)
    if text and not any(c in text for c in ' "=\n\t'):
        return text
    return orjson.dumps(text).decode()


class _Queued(logging.handlers.QueueHandler):
    """Passes records on as they are: they stay in this process, so nothing needs to be made picklable."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def setup(verbosity: int, component: str, form: str = "text") -> None:
    """Sends the records of this process to standard error; once per process, before the first line.

    `form` is one of FORMATS.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else Formatter(component))
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    atexit.register(listener.stop)
    root = logging.getLogger()
    root.handlers = [_Queued(records)]
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(logging.DEBUG if verbosity >= _DEBUG_FROM else logging.INFO)
