"""`backtest`: every rule on past or made-up cycles, ours with knobs fitted on others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import AsJson, print_json, print_table
from app.errors import InvalidError

if TYPE_CHECKING:
    from policies.schema import Policy
    from tools.simulation import Backtest, Cycle, Fold

ANY_AGE = timedelta(days=36_500)
"""A backtest looks back; the stock count in the folder is not used."""


class Made(StrEnum):
    """What can be made up."""

    MS15 = "ms15"
    MS45 = "ms45"
    M5 = "m5"
    LANE_COSTS = "lane-costs"
    TWO_SITES = "two-sites"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backtest")(backtest)


def backtest(
    network: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Play the past sales of this network folder again.")
    ] = None,
    generator: Annotated[Made | None, typer.Option(help="Play made-up cycles.")] = None,
    cost: Annotated[
        float | None,
        typer.Option(min=0, help="A network's lane costs times this; otherwise the generator's cost of moving."),
    ] = None,
    lead_time: Annotated[
        int | None, typer.Option(min=0, max=50, help="Periods from decision to arrival, in place of the lanes' own.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the scored cycles.")] = None,
    cycles: Annotated[
        int | None, typer.Option(min=1, max=2_000, help="A network's last windows; a generator's instances.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Release whose costs of lost sales and leftovers count; the latest if unset.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw total cost against fill rate into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare our transfers with those of planners' rules, over whole order cycles and on the same demand."""
    if (network is None) == (generator is None):
        raise InvalidError(
            "source", "a backtest plays either a network or made-up cycles", "give one of --network and --generator"
        )
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        raise InvalidError("plot", f"{plot} is not a file in a folder that exists", "name a file that you may write")
    if generator is Made.TWO_SITES:
        _two_sites([cost, lead_time, seed, policy, plot], cycles, as_json=as_json)
        return
    if network is not None:
        if seed is not None:
            raise InvalidError("seed", "a network's sales are what they are", "leave out --seed, or use --generator")
        folds = _folds(folder_cycles(network, _policy(policy), cost, lead_time), cycles)
        report = _report(f"Sales of {network.name} played again", folds)
    elif generator is not None:
        if policy is not None:
            raise InvalidError("policy", "made-up cycles bring their own costs", "leave out --policy, or use --network")
        from tools.simulation import Generator, generated

        folds = generated(Generator(generator.value), cost=cost, lead_time_periods=lead_time, seed=seed, cycles=cycles)
        report = _report(f"Made-up cycles, {generator.value}", folds)
    if plot is not None:
        _draw(plot, report)
    _print(report, as_json=as_json)


def folder_cycles(
    directory: Path, policy: Policy, cost: float | None = None, lead_time: int | None = None
) -> tuple[Cycle, ...]:
    """The cycles that a network folder's sales make, at the policy's costs.

    Raises ImportRefusedError for a folder with faults, InvalidError for one without enough sales.
    """
    from app.stock.folder import read_folder
    from app.stock.importing import ImportRefusedError
    from policies.limits import leftover_unit_e4, lost_unit_e4
    from tools.network_folder import ImportFaults, read_network
    from tools.simulation import SkuCosts, cycles_of

    files = read_folder(directory)
    if isinstance(files, ImportFaults):
        raise ImportRefusedError(files)
    read = read_network(files, datetime.now(UTC), ANY_AGE, own_day=True)
    if isinstance(read, ImportFaults):
        raise ImportRefusedError(read)
    costs = {sku.sku_id: SkuCosts(lost_unit_e4(policy, sku), leftover_unit_e4(policy, sku)) for sku in read.skus}
    try:
        return cycles_of(read, costs, cost_factor=1.0 if cost is None else cost, lead_time_periods=lead_time)
    except ValueError as wrong:
        raise InvalidError("no_cycles", f"{directory}: {wrong}", "name a folder with a longer sales.csv") from wrong


def _policy(name: str | None) -> Policy:
    from policies.library import UnknownPolicyError, released, releases

    try:
        return releases()[-1] if name is None else released(name)
    except UnknownPolicyError as unknown:
        raise InvalidError("policy", str(unknown), "name one of these") from unknown


def _folds(cycles: Sequence[Cycle], last: int | None) -> tuple[Fold, ...]:
    from tools.simulation import crossed

    try:
        return crossed(cycles if last is None else cycles[-last:])
    except ValueError as wrong:
        raise InvalidError("no_folds", str(wrong), "name a folder with more SKUs or more sales") from wrong


def _report(title: str, folds: Sequence[Fold]) -> Backtest:
    from tools.simulation import backtest as played

    return played(title, folds)


def _two_sites(unused: Sequence[object], instances: int | None, *, as_json: bool) -> None:
    from tools.simulation import OURS, PLANNER_RULES, Ours
    from tools.simulation.two_sites import SUITE, shares

    if any(each is not None for each in unused):
        raise InvalidError(
            "option", "the two-site instances are fixed and solved exactly",
            "leave out --cost, --lead-time, --seed, --policy and --plot",
        )  # fmt: skip
    found = shares({OURS: Ours()} | PLANNER_RULES, SUITE[:instances])
    rows: list[dict[str, Any]] = [
        {"rule": name, "mean": round(sum(each) / len(each), 4), "worst": round(min(each), 4)}
        for name, each in found.items()
    ]
    if as_json:
        print_json({"title": "Two sites, exact", "instances": len(SUITE[:instances]), "share_of_optimum": rows})
        return
    print("Share of the gap from no transfers to the optimum, two sites, exact:")
    print_table(("rule", "mean", "worst"), ((r["rule"], f"{r['mean']:.4f}", f"{r['worst']:.4f}") for r in rows), "")


def _draw(path: Path, report: Backtest) -> None:
    from tools.simulation import cost_against_fill

    try:
        path.write_text(cost_against_fill(report), encoding="utf-8")
    except OSError as refused:
        raise InvalidError(
            "plot", f"{path} cannot be written: {(refused.strerror or '').lower()}", "name a file that you may write"
        ) from refused


def _print(report: Backtest, *, as_json: bool) -> None:
    from tools.simulation import HEADINGS

    if as_json:
        print_json(report.to_document())
        return
    print(f"{report.title}: {report.instances:,} SKU cycles in {report.cycles:,} windows")
    for knobs in report.knobs:
        print(f"  knobs fitted on other cycles: {knobs}")
    print_table(HEADINGS, report.rows(), "")
    print("Ours under stress:")
    print_table(HEADINGS, report.stress_rows(), "  not asked for")
