"""A warm process that forks a worker for each line of standard input, so that a kill costs no start-up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def fork_for_each_line(work: Callable[[dict[str, Any]], None]) -> None:
    """Say that everything is warm, then answer each line, a JSON scenario, with the wait status of the worker that did it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(json.loads(line))
            except BaseException:  # noqa: BLE001  a forked child must never return into the parent's loop
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()
