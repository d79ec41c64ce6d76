"""Structured logs: one line an event on stderr, ours and the libraries' alike, for people or as JSON.

Every line carries the ids that `bind_ids` bound (request, upload, asset, job, task) and none of the secrets.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog

from mediaflow.observability.scrubbing import Scrubber, secret_values
from mediaflow.plugin import SettingSpec
from mediaflow.settings import Settings

BRIDGED: Final = ("dramatiq", "gunicorn", "gunicorn.error", "gunicorn.access", "werkzeug")
"""Loggers that come with handlers or levels of their own: theirs are taken off, so that each line is written once."""
LONGEST_VALUE: Final = 8000
"""Characters of one member of a line."""
QUIET: Final = ("pymongo", "urllib3")
"""Libraries whose debug lines drown ours and carry whole requests."""


def configure_logging(
    settings: Settings, plugin_specs: Iterable[tuple[str, SettingSpec]] = (), *, stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's lines to `stream` (stderr). May be called again, as after a fork.

    `plugin_specs` are `Registry.setting_specs`: their secret values are masked too.
    """
    target = stream or sys.stderr
    scrubber = Scrubber(secret_values(settings, plugin_specs))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # a cached logger would keep the processors of an earlier call
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(settings, scrubber, target))
    _install(handler, settings.log_level.upper())


@contextmanager
def bind_ids(**ids: str | None) -> Iterator[None]:
    """Every line of this thread or task carries these ids until the block ends; None is left out.

    The names in use: `request_id`, `upload_id`, `asset_id`, `job_id`, `task_id`.
    """
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value is not None}):
        yield


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # as text, so that the scrubber sees it; without the values of local variables
        structlog.processors.format_exc_info,
    ]


def _formatter(settings: Settings, scrubber: Scrubber, target: TextIO) -> logging.Formatter:
    people = settings.log_format == "console" or (settings.log_format == "auto" and target.isatty())
    plain = structlog.dev.plain_traceback
    renderer: Any = structlog.processors.JSONRenderer(default=str)
    if people:
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, scrubber, _shortened, renderer],
    )


def _shortened(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Long values lose their middle: plugins say what they like, and of a traceback begin and end are telling.

    It comes after the scrubber, which would not know half of a secret.
    """
    for name, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            half = LONGEST_VALUE // 2
            event[name] = f"{value[:half]} [... {len(value) - 2 * half} characters ...] {value[-half:]}"
    return event


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        # plain stream handlers are an earlier call's or a library's; others (a test's capture) stay
        if type(old) is logging.StreamHandler:
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in BRIDGED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
