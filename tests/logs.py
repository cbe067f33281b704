"""Logs in tests: as they come by default, but with plain tracebacks. Coloured ones with every local take seconds each."""

from __future__ import annotations

import structlog


def log_plainly() -> None:
    """Log to the standard output of the test, and forget whatever else was configured."""
    structlog.reset_defaults()
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], console])
