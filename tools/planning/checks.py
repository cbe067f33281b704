"""What the fast path's arrays must be before any solver sees them.

Flows do not notice bad numbers: a NaN compares as false and drops an arc, an index
out of range reads a neighbour's curve, a gain that rises fills blocks in the wrong
order. Each would end in a plan that looks sound. So the arrays are refused as a whole.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.planning.coupled import Coupled, Curves
from tools.planning.flow import BoolArray, FloatArray, FlowArrays, IntArray

RELATIVE_NOISE = 1e-5
"""Curves are differences of large sums: a step against their order that is this small a share of them is rounding."""
ABSOLUTE_NOISE = 1e-6
PACKS_MAX = 2**28
"""Packs of one SKU: with costs of 24 bits their money stays below 2^53 and far from the solver's own limits."""


def check_problem(problem: Coupled) -> None:
    """Refuse a problem whose arrays do not fit together or hold a number that means nothing.

    Only `lane_capacity` may be infinite: such a lane has no capacity. Raises ValueError
    with the array, the row and what belongs there.
    """
    a, limits = problem.arrays, problem.limits
    _check_lengths(problem)
    for name, most in (("sku", a.skus), ("origin", a.sites), ("destination", a.sites), ("lane", a.lanes)):
        _check_index(f"arc_{name}", getattr(a, f"arc_{name}"), most)
    _refuse(
        a.arc_origin == a.arc_destination, "arc_destination", a.arc_destination, "a site other than the arc's origin"
    )
    for group in ("send", "receive"):
        _check_index(f"{group}_sku", getattr(a, f"{group}_sku"), a.skus)
        _check_index(f"{group}_site", getattr(a, f"{group}_site"), a.sites)
        widths = getattr(a, f"{group}_packs")
        _refuse((widths < 1) | (widths > PACKS_MAX), f"{group}_packs", widths, f"a block of 1 to {PACKS_MAX:,} packs")
    for name, skus in (("arc_sku", a.arc_sku), ("send_sku", a.send_sku), ("receive_sku", a.receive_sku)):
        _refuse(np.append(False, np.diff(skus) < 0), name, skus, "a SKU number not below that of the row before")
    for name, values in (
        ("arc_cost", a.arc_cost), ("arc_volume", problem.arc_volume), ("lane_cost", problem.lane_cost),
        ("line_cost", np.asarray([problem.line_cost])), ("limits.most", limits.most),
        ("limits.per_line", limits.per_line), ("limits.per_pack", limits.per_pack.data),
        ("limits.per_departure", limits.per_departure.data),
    ):  # fmt: skip
        _refuse(~(np.isfinite(values) & (values >= 0)), name, values, "a finite number that is 0 or more")
    for name, counts in (("arc_most", a.arc_most), ("arc_least", problem.arc_least)):
        _refuse((counts < 0) | (counts > PACKS_MAX), name, counts, f"a number of packs from 0 to {PACKS_MAX:,}")
    capacity = problem.lane_capacity
    _refuse(
        ~(capacity >= 0), "lane_capacity", capacity, "a volume that is 0 or more, infinite where there is no capacity"
    )
    _check_departures(problem)
    _check_curve("send", a, problem.losses)
    _check_curve("receive", a, problem.gains)


def _check_lengths(problem: Coupled) -> None:
    """Columns that stand beside each other have one length, and numbers of things are whole."""
    a, limits = problem.arrays, problem.limits
    arcs, rows = len(a.arc_sku), len(limits.most)
    for column in fields(a):
        group = column.name.partition("_")[0]
        if group not in ("arc", "send", "receive"):
            continue
        values = getattr(a, column.name)
        _expect(column.name, values.shape, getattr(a, f"{group}_sku").shape)
        if not column.name.endswith(("_cost", "_loss", "_gain")) and not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{column.name} holds {values.dtype}: whole numbers belong there; round them before")
    for name, found, wanted in (
        ("arc_volume", problem.arc_volume.shape, (arcs,)),
        ("arc_least", problem.arc_least.shape, (arcs,)),
        ("lane_cost", problem.lane_cost.shape, (a.lanes,)),
        ("lane_capacity", problem.lane_capacity.shape, (a.lanes,)),
        ("limits.per_line", limits.per_line.shape, (rows,)),
        ("limits.per_pack", limits.per_pack.shape, (rows, arcs)),
        ("limits.per_departure", limits.per_departure.shape, (rows, a.lanes)),
        ("gains.packs", problem.gains.packs.shape, (a.skus, a.sites)),
        ("losses.packs", problem.losses.packs.shape, (a.skus, a.sites)),
    ):
        _expect(name, found, wanted)


def _expect(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise ValueError(f"{name} has the shape {found}: {wanted} belongs there, one entry for each of its rows")


def _check_index(name: str, values: IntArray, most: int) -> None:
    _refuse((values < 0) | (values >= most), name, values, f"a number from 0 to {most - 1}")


def _check_departures(problem: Coupled) -> None:
    """Lanes that cost nothing count as open, so a departure that uses up a limit has to cost something."""
    uses = problem.limits.per_departure.sum(axis=0)
    wrong = (uses > 0) & (problem.lane_cost <= 0)
    _refuse(wrong, "lane_cost", problem.lane_cost, "more than 0, because the lane's departure uses a shared limit")


def _check_curve(group: Literal["send", "receive"], a: FlowArrays, curves: Curves) -> None:
    """Losses rise and gains fall within a SKU and site, and the curves hold every pack that the blocks offer."""
    name, wanted = ("send_loss", "losses that rise") if group == "send" else ("receive_gain", "gains that fall")
    money: FloatArray = getattr(a, name)
    _refuse(~np.isfinite(money), name, money, "a finite number of money per pack")
    place = getattr(a, f"{group}_sku") * a.sites + getattr(a, f"{group}_site")
    order = np.argsort(place, kind="stable")
    falling = money[order] if group == "receive" else -money[order]
    noise = ABSOLUTE_NOISE + RELATIVE_NOISE * np.maximum(np.abs(falling[1:]), np.abs(falling[:-1]))
    wrong = np.zeros(len(money), dtype=np.bool_)
    wrong[order[1:]] = (place[order][1:] == place[order][:-1]) & (np.diff(falling) > noise)
    _refuse(wrong, name, money, f"{wanted} from pack to pack of a SKU and site")
    packs: IntArray = getattr(a, f"{group}_packs")
    offered = np.bincount(place, packs, a.skus * a.sites).reshape(a.skus, a.sites)
    too_many = offered.sum(axis=1) > PACKS_MAX
    if too_many.any():
        sku = int(np.flatnonzero(too_many)[0])
        raise ValueError(
            f"{group}_packs offers {offered[sku].sum():,.0f} packs of SKU {sku}: {PACKS_MAX:,} is the most"
        )
    if not np.isfinite(curves.total).all():
        raise ValueError(
            f"the curve behind {name} holds {curves.total[~np.isfinite(curves.total)][0]}: money belongs there"
        )
    short = np.argwhere((offered > curves.packs) | (curves.first + curves.packs >= len(curves.total)))
    if len(short):
        sku, site = short[0].tolist()
        raise ValueError(
            f"{group}_packs offers {offered[sku, site]:.0f} packs of SKU {sku} at site {site},"
            f" but its curve holds {curves.packs[sku, site]}: every pack of a block needs its money"
        )


def _refuse(wrong: BoolArray, name: str, values: NDArray[np.generic], wanted: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        more = f" (and {len(rows) - 1} more like it)" if len(rows) > 1 else ""
        raise ValueError(f"{name}[{rows[0]}] is {values[rows[0]]}{more}: {wanted} belongs there")
