"""How urgent the lines of a plan are, under the policy and on the facts that the plan was made on."""

from __future__ import annotations

from collections.abc import Callable

from policies.limits import kept_units
from policies.merchandise import must_leave_units
from policies.schema import Policy
from tools.demand import DemandView
from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.risk import stock_outs_bp
from tools.merchandise.urgency import Ends, LineUrgency, urgency_of
from tools.positions import available_units
from tools.transfers import PlanRequest, TransferLine, TransferPlan


def _as_it_is(line: TransferLine) -> tuple[str, LaneKey]:
    return line.sku_id, line.lane


def urgencies(
    policy: Policy,
    snapshot: Snapshot,
    plan: TransferPlan,
    named: Callable[[TransferLine], tuple[str, LaneKey]] = _as_it_is,
) -> tuple[LineUrgency, ...]:
    """The class of every line and its sentence, in the order of the lines.

    `named` gives the SKU and the lane of a line as the sentence may call them. A donor's ordinary keep is that of a request which assumes nothing and is no
    emergency; what has to leave a site in time is not kept there.
    """
    if not plan.lines:
        return ()
    receivers = [SiteSku(line.destination, line.sku_id) for line in plan.lines]
    likely = stock_outs_bp(DemandView.of(snapshot, policy.horizon.default_days), receivers).tolist()
    kept = kept_units(policy, snapshot, PlanRequest()) if plan.request.overlays.emergency_rescue else {}
    leaving = must_leave_units(policy, snapshot)
    rescue_bp = None if policy.merchandise is None else policy.merchandise.rescue_stock_out_bp
    found = []
    for line, stock_out_bp in zip(plan.lines, likely, strict=True):
        donor = SiteSku(line.origin, line.sku_id)
        left = available_units(snapshot, donor) - plan.sent_units[donor]
        keeps = 0 if donor in leaving else kept.get(donor, 0)
        found.append(urgency_of(*named(line), Ends(stock_out_bp, keeps, left), rescue_bp))
    return tuple(found)
