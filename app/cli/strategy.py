"""`strategy`: the weeks to come."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, amount, print_json, print_table
from app.cli.session import Token, at_shell
from app.errors import InvalidError

if TYPE_CHECKING:
    from tools.strategy import Standing, Strategy

FILL_MAX = 99.9999


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("strategy")(strategy)


def strategy(
    sku: Annotated[list[str] | None, typer.Option(help="Only these SKUs.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these categories.")] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Only these sites; a centre stands for the stores that draw from it.")
    ] = None,
    fill_rate: Annotated[
        float | None, typer.Option(min=0.0001, max=FILL_MAX, help="Reach this fill rate, in percent, for least money.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Tie up at most so much, in units of the currency, where it serves most.")
    ] = None,
    supply_days: Annotated[
        int | None,
        typer.Option(min=0, max=365, help="Lead time of supply from outside; read off open orders if unset."),
    ] = None,
    horizon_days: Annotated[
        int | None, typer.Option(min=7, max=365, help="Demand is the mean of so many days; a quarter by default.")
    ] = None,
    lines: Annotated[int, typer.Option(min=0, max=1000, help="How many single SKUs to show.")] = 20,
    plot: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the curve to this file, as SVG.", metavar="FILE.svg")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Propose service levels and safety stock for the weeks to come. It changes nothing."""
    from app.stock.installation import installation
    from app.strategy import Mentions, strategy_now
    from tools.strategy import StrategyRequest, curve_svg
    from tools.strategy.requests import QUARTER_DAYS

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        request = StrategyRequest(
            fill_rate_ppm=None if fill_rate is None else round(fill_rate * 10_000),
            budget_minor=None if budget is None else _minor(budget, installation(session).currency or "USD"),
            supply_days=supply_days,
            horizon_days=horizon_days or QUARTER_DAYS,
            lines_max=lines,
        )
        found = strategy_now(session, shell.caller, Mentions(sku or (), category or (), site or ()), request)
    if plot is not None:
        _write(plot, curve_svg(found))
    if as_json:
        print_json(found)
        return
    _print(found)


def _minor(budget: str, currency: str) -> int:
    """An amount that a person wrote, in minor units. Raises InvalidError for anything else."""
    from tools.money import minor_digits
    from tools.transfers import MINOR_MAX

    try:
        number = Decimal(budget.replace(",", ""))
    except InvalidOperation:
        number = Decimal("NaN")
    minor = number.scaleb(minor_digits(currency)) if number.is_finite() else number
    if not minor.is_finite() or not 0 <= minor <= MINOR_MAX or minor != minor.to_integral_value():
        raise InvalidError(
            "budget", f"{budget!r} is no amount in {currency}",
            f"write a number with at most {minor_digits(currency)} decimals, such as 25000",
        )  # fmt: skip
    return int(minor)


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as failed:
        raise InvalidError(
            "plot",
            f"the picture cannot be written to {path}: {failed.strerror}",
            "name a file in a folder that is there",
        ) from failed


def _print(found: Strategy) -> None:
    for note in found.notes:
        print(note)
    if not found.site_skus:
        return
    aims = {"cheapest": "cheapest levels", "fill_rate": "levels for the fill rate", "budget": "levels for the budget"}
    print(f"{found.site_skus:,} site-SKUs, demand of the next {found.horizon_days} days; stock held now is worth")
    print(f"{amount(found.held_minor, found.currency)} at cost. Nothing is changed by this.")
    print_table(
        ("", "level", "fill rate", "investment", "safety stock", "cost a day"),
        (
            ("present levels", *_standing(found.present, found.currency)),
            (aims[found.aim], *_standing(found.proposed, found.currency)),
        ),
        "",
    )
    print(
        f"The present fill rate could be had for {amount(found.same_fill_minor, found.currency)}; the present investment"
        f" could reach {_percent(found.same_investment_fill_ppm)}."
    )
    _print_curve(found)
    _print_levels(found)
    _print_echelons(found)


def _standing(standing: Standing, currency: str) -> tuple[object, ...]:
    return (
        f"{standing.service_level_bp / 100:.2f} %", _percent(standing.fill_rate_ppm),
        amount(standing.investment_minor, currency), standing.safety_stock_units,
        amount(standing.daily_cost_minor, currency),
    )  # fmt: skip


def _percent(fill_ppm: int) -> str:
    return f"{fill_ppm // 100 / 100:.2f} %"


def _print_curve(found: Strategy) -> None:
    print("\nThe least investment for each fill rate:")
    print_table(
        ("fill rate", "investment", "safety stock", "order up to"),
        (
            (
                _percent(point.fill_rate_ppm), amount(point.investment_minor, found.currency),
                point.safety_stock_units, point.order_up_to_units,
            )
            for point in found.curve
        ),
        "",
    )  # fmt: skip


def _print_levels(found: Strategy) -> None:
    print("\nService levels by demand class and site:")
    print_table(
        ("class", "site", "SKUs", "level", "→", "order up to", "→", "fill rate", "→"),
        (
            (
                row.demand_class, row.site_id, row.skus, f"{row.present.service_level_bp / 100:.2f} %",
                f"{row.proposed.service_level_bp / 100:.2f} %", row.present.order_up_to_units,
                row.proposed.order_up_to_units, _percent(row.present.fill_rate_ppm),
                _percent(row.proposed.fill_rate_ppm),
            )
            for row in found.rows
        ),
        "",
    )  # fmt: skip
    if found.lines:
        print("\nWhere most money moves:")
        print_table(
            ("site", "SKU", "class", "days", "order up to", "→", "investment"),
            (
                (
                    line.site_id, line.sku_id, line.demand_class, line.protection_days, line.present_units,
                    line.proposed_units, amount(line.investment_change_minor, found.currency),
                )
                for line in found.lines
            ),
            "",
        )  # fmt: skip
    if found.lines_not_shown:
        print(f"{found.lines_not_shown:,} more change")


def _print_echelons(found: Strategy) -> None:
    echelons = found.echelons
    print("\nSafety stock of the network, placed three ways:")
    print_table(
        ("", "units", "investment", "holding a day"),
        (
            (name, placed.safety_stock_units, amount(placed.investment_minor, found.currency),
             amount(placed.daily_holding_minor, found.currency))
            for name, placed in (
                ("as the network is served best", echelons.placed),
                ("every site by itself", echelons.alone),
                ("nothing at the centres", echelons.unpooled),
            )
        ),
        "",
    )  # fmt: skip
    print_table(
        ("class", "site", "kind", "SKUs", "held", "placed", "alone", "unpooled"),
        (
            (
                row.demand_class, row.site_id, row.kind, row.skus, row.skus_held, row.placed_units, row.alone_units,
                row.unpooled_units,
            )
            for row in echelons.rows
        ),
        "",
    )  # fmt: skip
