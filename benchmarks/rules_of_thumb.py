"""What planners do without an optimiser, and what a textbook model does: the alternatives that plans are measured against.

All of them see the same facts, the same permitted lanes and the same protected stock.
None of them knows handling limits, lane capacity or the totals of a policy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pulp

from tools.inventory import SiteSku, Snapshot
from tools.planning import Limits, Move
from tools.planning.instance import Arc, Instance, fixed_cost

SECONDS_MAX = 60


Preference = Callable[[Arc, dict[SiteSku, int]], Any]


def nearest_surplus(instance: Instance, _snapshot: Snapshot, _limits: Limits) -> list[Move]:
    """Serve the largest shortage first, from the cheapest lane whose donor can spare packs."""
    return _served(instance, lambda arc, _: (arc.move_cost, arc.lane.key))


def largest_to_largest(instance: Instance, _snapshot: Snapshot, _limits: Limits) -> list[Move]:
    """Serve the largest shortage first, from the donor with the largest surplus."""
    return _served(instance, lambda arc, spare: (-spare.get(arc.origin, 0), arc.lane.key))


def _served(instance: Instance, preference: Preference) -> list[Move]:
    """Every shortage, the largest first, from its donors in order of preference, up to what it needs."""
    need = {key: sum(gain > 0 for gain in node.gains) for key, node in instance.nodes.items() if node.gains}
    spare = {key: len(node.losses) for key, node in instance.nodes.items() if node.losses}
    by_receiver: dict[SiteSku, list[Arc]] = defaultdict(list)
    for arc in instance.arcs:
        by_receiver[arc.destination].append(arc)
    moves = []
    for receiver in sorted(need, key=lambda key: (-need[key], key)):
        for arc in sorted(by_receiver[receiver], key=lambda arc: preference(arc, spare)):
            packs = min(need[receiver], spare.get(arc.origin, 0), arc.packs_max)
            if packs >= arc.packs_min:
                moves.append(Move(arc.lane.key, arc.sku.sku_id, packs))
                need[receiver] -= packs
                spare[arc.origin] -= packs
    return moves


def textbook_model(instance: Instance, snapshot: Snapshot, limits: Limits) -> list[Move]:
    """The model as a textbook writes it, solved by CBC: integer packs, a weak link of volume to departure, no cuts of ours."""
    problem = pulp.LpProblem("textbook", pulp.LpMinimize)
    packs = {arc: problem.add_variable(f"x{n}", 0, arc.packs_max, "Integer") for n, arc in enumerate(instance.arcs)}
    used = {arc: problem.add_variable(f"w{n}", 0, 1, "Binary") for n, arc in enumerate(instance.arcs)}
    lanes = {arc.lane.key: arc.lane for arc in instance.arcs}
    departs = {key: problem.add_variable(f"z{n}", 0, 1, "Binary") for n, key in enumerate(sorted(lanes))}
    line_cost = limits.line_charge_minor + limits.line_hurdle_minor
    cost = [packs[a] * (a.move_cost + a.late) + used[a] * line_cost for a in instance.arcs]
    cost += [
        departs[key] * (fixed_cost(lanes[key], snapshot.currency) + limits.lane_hurdle_minor) for key in sorted(lanes)
    ]
    for number, (key, node) in enumerate(instance.nodes.items()):
        gains = [problem.add_variable(f"r{number}_{n}", 0, 1) for n in range(len(node.gains))]
        losses = [problem.add_variable(f"d{number}_{n}", 0, 1) for n in range(len(node.losses))]
        cost += [-gain * segment for gain, segment in zip(node.gains, gains, strict=True)]
        cost += [loss * segment for loss, segment in zip(node.losses, losses, strict=True)]
        problem += pulp.lpSum(packs[a] for a in instance.arcs if a.destination == key) == pulp.lpSum(gains)
        problem += pulp.lpSum(packs[a] for a in instance.arcs if a.origin == key) == pulp.lpSum(losses)
    for arc in instance.arcs:
        problem += packs[arc] <= arc.packs_max * used[arc]
        problem += packs[arc] >= arc.packs_min * used[arc]
    for key, departure in departs.items():
        on_lane = [arc for arc in instance.arcs if arc.lane.key == key]
        problem += pulp.lpSum(used[arc] for arc in on_lane) <= len(on_lane) * departure
    problem += pulp.lpSum(cost)
    problem.solve(pulp.PULP_CBC_CMD(msg=False, threads=1, timeLimit=SECONDS_MAX, gapRel=0.005))
    return [
        Move(arc.lane.key, arc.sku.sku_id, round(x.varValue))
        for arc, x in packs.items()
        if x.varValue and x.varValue > 0.5
    ]


ALTERNATIVES: dict[str, Callable[[Instance, Snapshot, Limits], list[Move]]] = {
    "nearest surplus (planner)": nearest_surplus,
    "largest to largest": largest_to_largest,
    f"textbook model, PuLP + CBC, {SECONDS_MAX} s": textbook_model,
}
