"""Ending on a signal: everything that is open is closed in order, so that embedded servers stop with their last user."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def ending_in_order(status: int | None = None) -> Iterator[None]:
    """Inside, SIGTERM and Ctrl-C raise SystemExit: with `status`, or with the usual 128 and the signal's number.

    Further signals are ignored from then on: one of them would cut the closing short.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in _ENDS:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number if status is None else status)

    before = {each: signal.signal(each, end) for each in _ENDS}
    try:
        yield
    finally:
        for each, handler in before.items():
            if signal.getsignal(each) is end:
                signal.signal(each, handler or signal.SIG_DFL)
