"""`python -m evals`: play the scenarios and print how they went; with --gate the exit status is the verdict."""

from __future__ import annotations

import argparse
import json
import logging
import sys

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
from app.logs import set_up_logs
from evals.databases import embedded_servers
from evals.report import Report, closing, details, row
from evals.runner import play
from evals.scenario import Scenario
from evals.scenarios import SCENARIOS

TRIALS_MAX = 20


def main(arguments: list[str] | None = None) -> int:
    """Play what was asked for. Returns 1 with --gate when anything failed, 2 for an unknown scenario."""
    given = _parser().parse_args(arguments)
    if given.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:30} {scenario.about}")
        return 0
    unknown = sorted(set(given.scenario) - {scenario.name for scenario in SCENARIOS})
    if unknown:
        print(f"There is no scenario {', '.join(unknown)}; --list shows what there is.", file=sys.stderr)
        return 2
    set_up_logs(quiet=True)
    logging.getLogger("openai").setLevel(logging.ERROR)
    report = _played([s for s in SCENARIOS if not given.scenario or s.name in given.scenario], given.trials, given.json)
    return 1 if given.gate and not report.passed else 0


def _played(scenarios: list[Scenario], trials: int, as_json: bool) -> Report:
    verdicts = []
    with embedded_servers() as servers:
        for verdict in play(servers, scenarios, trials):
            verdicts.append(verdict)
            if not as_json:
                print("\n".join([row(verdict), *details(verdict)]), flush=True)
    report = Report(tuple(verdicts))
    print(json.dumps(report.to_document(), indent=2) if as_json else closing(verdicts, report))
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Judge the agent by what its ledger says.")
    parser.add_argument("scenario", nargs="*", help="play only these")
    parser.add_argument("--gate", action="store_true", help="exit with status 1 when anything fails")
    parser.add_argument("--trials", type=int, choices=range(1, TRIALS_MAX + 1), default=1, metavar="N",
                        help="play each so many times; all must pass (pass^N)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    return parser


if __name__ == "__main__":
    if not app.__doc__:
        raise SystemExit(2)
    sys.exit(main())
