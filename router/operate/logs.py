"""
Logs: structlog, JSON in production, coloured lines on a terminal.

An allow-list, not a block-list: only fields named here are ever written, so that a personal field
cannot leak through a forgotten key. Exception texts are dropped for the same reason; their
type and where they were raised stay.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

FIELDS = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "role",
        "instance",
        "case_id",
        "command_id",
        "event_id",
        "channel",
        "endpoint",
        "unit",
        "rule",
        "rule_version",
        "catalogue",
        "topic",
        "partition",
        "offset",
        "attempt",
        "duration_ms",
        "count",
        "reason",
        "code",
        "pointer",
        "error",
        "where",
        "pid",
        "port",
        "shard",
        "offsets",
        "lag",
        "records",
        "seconds",
        "path",
        "version",
        "hash",
        "name",
        "state",
        "batch",
        "kind",
        "signal",
        "exit_code",
        "findings",
        "file",
        "line",
        "said",
    ]
)
QUIET_SECONDS = 10.0
TALKATIVE = "aiokafka"
"""The one library whose own words are kept: they name brokers, groups and topics, never what a record holds."""


def setup(role: str, *, instance: str = "", form: str = "auto", level: str = "info") -> None:
    """Configure logging for this process. Called once, from the composition root."""
    terminal = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.contextvars.bind_contextvars(role=role, **({"instance": instance} if instance else {}))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%f%z", utc=False),
            _name_errors,
            _allow_listed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


class _Libraries(logging.Handler):
    """
    What libraries say, as lines of the same form; from each place in them once in QUIET_SECONDS, with how often.

    A client without its broker says the same a hundred times a second, and would fill a disk with it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._spoken: dict[str, tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        where = f"{record.filename}:{record.lineno} {record.funcName}"
        now = self._clock()
        since, kept = self._spoken.get(where, (now - QUIET_SECONDS, 0))
        if now - since < QUIET_SECONDS:
            self._spoken[where] = since, kept + 1
            return
        self._spoken[where] = now, 0
        said = record.getMessage() if record.name.startswith(TALKATIVE) else None
        more = {"count": kept + 1} if kept else {}
        structlog.get_logger().log(record.levelno, "library.spoke", name=record.name, said=said, where=where, **more)


def _name_errors(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception becomes its type and the last place in our own code; its text may hold a citizen's words."""
    error = event.pop("exc_info", None) or event.get("error")
    error = sys.exc_info()[1] if error is True else error
    if isinstance(error, BaseException):
        event["error"] = _chain(error)
        frames = traceback.extract_tb(error.__traceback__)
        if frames:
            event["where"] = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno} {frames[-1].name}"
    return event


def _chain(error: BaseException) -> str:
    cause = error.__cause__
    return type(error).__name__ + (f" < {type(cause).__name__}" if cause else "")


def _allow_listed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if key in FIELDS}
