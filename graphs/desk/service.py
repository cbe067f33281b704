"""Answers about the service: the queue, the orders, key figures, and the policy."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from graphs.desk.seen import Seen
from graphs.world import Wanted
from policies.brief import brief, rule_sentences
from policies.limits import view_of
from policies.stops import Stop
from tools.catalog import Kpis, PolicyInWords, Status
from tools.kpis import figures_of_stock, figures_of_work, stock_figures

ROWS_MAX = 30
"""So many rows of the queue and the orders fit into one answer together."""


class ServiceAnswers:
    """What people and orders are at, and the rules they follow."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def status(self, arguments: Status) -> dict[str, Any]:
        """What waits or was decided, and where orders stand, as of the service's clock."""
        world, about = self._seen.world, arguments.about
        asked = () if about == "orders" else arguments.approval_statuses
        over = tuple(status for status in asked if status != "pending")
        lists = sum(("pending" in asked, bool(over), about != "approvals"))
        wanted = Wanted(
            limit=min(arguments.limit, ROWS_MAX // max(lists, 1)),
            order_states=arguments.order_states,
            sites=self._seen.names.sites(arguments.sites) if arguments.sites else (),
            mine=arguments.mine,
        )
        waiting = world.queue(wanted) if "pending" in asked else []
        decided = world.queue(replace(wanted, approval_statuses=over)) if over else []
        orders = [] if about == "approvals" else world.orders(wanted)
        return {
            "as_of": world.now().isoformat(timespec="seconds"),
            "waiting": waiting,
            "decided": decided,
            "orders": orders,
            "at_most_shown": wanted.limit,
        }

    def kpis(self, arguments: Kpis) -> dict[str, Any]:
        """Key figures with their definitions."""
        seen, facts = self._seen, self._seen.facts
        meant = seen.names.meant(arguments.mentions)
        view = view_of(facts.policy, facts.snapshot)
        stock = stock_figures(facts.snapshot, view, seen.keys_of(meant), seen.imbalances)
        figures = list(figures_of_stock(stock, facts.snapshot.currency))
        # Requests and orders are kept by site; figures of one SKU among them would be misread.
        if not meant.skus and not meant.categories:
            figures += figures_of_work(seen.world.workload(meant.sites))
        words = "; ".join(f"{each.name.replace('_', ' ')}: {each.value}" for each in figures)
        return seen.dated(
            {
                "figures": [asdict(each) for each in figures],
                "work_as_of": seen.world.now().isoformat(timespec="seconds"),
                "words": f"{words}.",
            }
        )

    def policy(self, _: PolicyInWords) -> dict[str, Any]:
        """The policy in force, in words."""
        facts = self._seen.facts
        return self._seen.dated(
            {
                "policy": self._seen.words(brief(facts.policy, facts.snapshot.currency)),
                "rules": rule_sentences(),
                "kill_switch_engaged": facts.kill_switch,
                "stopped": [self._seen.words(stop.words) for stop in facts.stops if self._is_known(stop)],
            }
        )

    def _is_known(self, stop: Stop) -> bool:
        """Whether the caller may know of a stop: it names a site of theirs, or none."""
        return not stop.sites or any(self._seen.sees(site_id) for site_id in stop.sites)
