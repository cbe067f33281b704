"""`python -m benchmarks [planning] [ledger]`: run the benchmarks and print their tables."""

from __future__ import annotations

import argparse
import warnings

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
from app.logs import set_up_logs
from benchmarks import ledger, planning

BENCHMARKS = {"planning": planning.run, "ledger": ledger.run}


def main() -> None:
    """Run what was asked for; everything by default."""
    assert app.__doc__  # noqa: S101  imported for what it does
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmark", nargs="*", choices=[[], *BENCHMARKS], help="which ones; all by default")
    chosen = parser.parse_args().benchmark or list(BENCHMARKS)
    warnings.simplefilter("ignore")
    set_up_logs(quiet=True)
    for name in chosen:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
