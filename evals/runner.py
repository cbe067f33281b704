"""Playing scenarios, one after the other, each on an empty database."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from structlog import get_logger

from evals.databases import Servers
from evals.graders import counts, never_events, oracle_share
from evals.scenario import Expectation, Scenario, Verdict
from evals.stage import Stage, open_stage

_log = get_logger(__name__)


def play(servers: Servers, scenarios: Sequence[Scenario], trials: int) -> Iterator[Verdict]:
    """Play each scenario so many times, and say how it went."""
    for scenario in scenarios:
        for trial in range(1, trials + 1):
            yield _play_once(servers, scenario, trial)


def _play_once(servers: Servers, scenario: Scenario, trial: int) -> Verdict:
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-eval-") as directory,
        open_stage(servers, Path(directory), scenario) as stage,
    ):
        seen = _expectations(stage, scenario)
        posted, events = counts(stage)
        return Verdict(
            scenario=scenario.name,
            about=scenario.about,
            trial=trial,
            held=sum(each.held for each in seen),
            broken=tuple(each.what for each in seen if not each.held),
            never=never_events(stage),
            posted=posted,
            events=events,
            oracle_share=oracle_share(stage),
            seconds=time.monotonic() - started,
        )


def _expectations(stage: Stage, scenario: Scenario) -> list[Expectation]:
    """What the play expected. A play that breaks off is an expectation that did not hold, and is graded all the same."""
    seen: list[Expectation] = []
    try:
        seen.extend(scenario.play(stage))
    except Exception as broke_off:  # noqa: BLE001  whatever ends a play early is a verdict and no end of the run
        _log.exception("scenario_broke_off", scenario=scenario.name)
        seen.append(Expectation(f"it can be played to the end ({type(broke_off).__name__}: {broke_off})", held=False))
    return seen
