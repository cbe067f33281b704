"""`python -m benchmarks [NAME …]`: run the benchmarks and print their tables."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
from app.logs import set_up_logs
from benchmarks import approvals, chat, fast_path, ledger, pages, planning, scale_out, simulation

BENCHMARKS: dict[str, Callable[[list[Path]], None]] = {
    "planning": lambda _: planning.run(),
    "fast-path": lambda _: fast_path.run(),
    "simulation": simulation.run,
    "scale-out": lambda _: scale_out.run(),
    "ledger": lambda _: ledger.run(),
    "chat": lambda _: chat.run(),
    "approvals": lambda _: approvals.run(),
    "pages": lambda _: pages.run(),
}


def main() -> None:
    """Run what was asked for; everything by default."""
    assert app.__doc__  # noqa: S101  imported for what it does
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmark", nargs="*", choices=[[], *BENCHMARKS], help="which ones; all by default")
    parser.add_argument(
        "--network", type=Path, action="append", default=[], help="a folder whose sales are played again"
    )
    asked = parser.parse_args()
    chosen = asked.benchmark or list(BENCHMARKS)
    warnings.simplefilter("ignore")
    set_up_logs(quiet=True)
    for name in chosen:
        BENCHMARKS[name](asked.network)


if __name__ == "__main__":
    main()
