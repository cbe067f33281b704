"""Logging: one JSON object a line on standard error, without control characters from outside."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up_logs(*, quiet: bool = False, least: int | None = None) -> None:
    """Configure logging for this process. `quiet` keeps warnings and errors only; `least` says from which level on."""
    level = least if least is not None else logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("dbos").setLevel(logging.ERROR if quiet else logging.WARNING)
