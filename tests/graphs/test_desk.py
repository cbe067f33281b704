"""What the tools answer: the right rows in the right order, and numbers that are those of the plan or the facts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.desk import AtDesk, answer_text
from graphs.names import alias_of
from graphs.nodes.toolbox import toolbox
from graphs.world import Context
from tests.graphs.conftest import FAR_SITE, PAT, SECRET_SKU, Day
from tools.catalog import SOLVING_CALLS_MAX
from tools.execution import OrderState


def asked(desk: AtDesk, tool: str, **arguments: object) -> dict[str, Any]:
    """The answer of a tool."""
    text, refused = answer_text(desk, tool, arguments)
    assert not refused, text
    found: dict[str, Any] = json.loads(text)
    return found


def refusal(desk: AtDesk, tool: str, **arguments: object) -> str:
    """Why a tool does not answer."""
    text, refused = answer_text(desk, tool, arguments)
    assert refused, text
    return str(json.loads(text)["error"])


def test_pages_of_imbalances_put_together_are_all_of_them_once(day: Day) -> None:
    desk = day.desk()
    whole = asked(desk, "find_imbalances", limit=50)
    assert (whole["total"], whole["not_shown"], whole["next_offset"]) == (len(whole["imbalances"]), 0, None)
    pages, offset = [], 0
    while offset is not None:
        found = asked(desk, "find_imbalances", limit=2, offset=offset)
        assert found["not_shown"] == whole["total"] - len(found["imbalances"])
        pages += found["imbalances"]
        offset = found["next_offset"]
    assert pages == whole["imbalances"]
    assert len(pages) >= 5
    beyond = asked(desk, "find_imbalances", offset=1_000)
    assert (beyond["imbalances"], beyond["next_offset"], beyond["total"]) == ([], None, whole["total"])


def test_imbalances_are_ranked_by_money_cover_or_units(day: Day) -> None:
    desk = day.desk()
    rows = {
        rank: asked(desk, "find_imbalances", rank_by=rank, limit=50)["imbalances"]
        for rank in ("at_stake", "days_of_cover", "units")
    }
    money = [float(row["at_stake"].split()[0].replace(",", "")) for row in rows["at_stake"]]
    assert money == sorted(money, reverse=True)
    units = [row["units"] for row in rows["units"]]
    assert units == sorted(units, reverse=True)
    cover = [row["days_of_cover"] for row in rows["days_of_cover"]]
    assert cover == sorted(cover)
    assert len({json.dumps(found) for found in rows.values()}) == 3


def test_imbalances_are_filtered_by_kind_name_category_and_least_money(day: Day) -> None:
    desk = day.desk()
    everything = asked(desk, "find_imbalances", limit=50)["imbalances"]
    short = asked(desk, "find_imbalances", kinds=["shortage"], limit=50)
    assert short["imbalances"] == [row for row in everything if row["kind"] == "shortage"]
    assert set(short["counts"]) == {"shortage"}
    assert {row["sku"] for row in asked(desk, "find_imbalances", mentions=["drinks"])["imbalances"]} == {"P1"}
    at_s1 = asked(desk, "find_imbalances", mentions=["S1", "P1"])["imbalances"]
    assert {(row["site"], row["sku"]) for row in at_s1} == {("S1", "P1")}
    rich = asked(desk, "find_imbalances", at_stake_min=1_000, limit=50)
    amounts = [float(row["at_stake"].split()[0].replace(",", "")) for row in everything]
    assert rich["total"] == sum(amount >= 1_000 for amount in amounts) < len(amounts)


def test_coverage_of_a_site_is_told_by_row_and_together(day: Day) -> None:
    desk = day.desk()
    found = asked(desk, "coverage", mentions=["S2"])
    assert [row["sku"] for row in found["rows"]] == ["P1", "P2", SECRET_SKU]
    assert found["together"]["site_skus"] == found["total"] == 3
    assert found["together"]["available_units"] == sum(row["available_units"] for row in found["rows"])
    assert found["together"]["run_out_before_supply"] == sum(
        float(row["stock_out_percent"]) >= 50 for row in found["rows"]
    )
    page = asked(desk, "coverage", mentions=["S2"], limit=1, offset=1)
    assert (page["rows"], page["next_offset"]) == (found["rows"][1:2], 2)
    scarce = asked(desk, "coverage", mentions=["P1"], days_of_cover_max=3)
    assert {row["site"] for row in scarce["rows"]} == {"S2", FAR_SITE}


def test_signal_quality_says_what_is_held_back_where_and_why(day: Day) -> None:
    found = asked(day.desk(), "signal_quality")
    assert [(row["site"], row["sku"], row["check"]) for row in found["held"]] == [
        (FAR_SITE, "P2", "negative"), ("S3", "P2", "negative"),
    ]  # fmt: skip
    assert SECRET_SKU in found["held"][0]["reason"]
    assert {row["site"]: row["held"] for row in found["sites"]} == {FAR_SITE: 1, "S3": 1, "S1": 0, "S2": 0}
    assert found["words"].startswith("2 SKUs at sites are held back")
    assert asked(day.desk(), "signal_quality", mentions=["S1"])["words"].startswith("Nothing is held back")


def test_a_plan_is_explained_in_its_own_numbers(day: Day) -> None:
    plan = day.first
    found = asked(day.desk(PAT), "explain_plan", plan=plan.digest[:8], limit=1)
    assert (found["plan"], found["lines"], found["units"]) == (plan.digest, len(plan.lines), plan.units)
    best = max(plan.lines, key=lambda line: line.saving_minor)
    (why,) = found["why_lines"]
    assert why["line_no"] == best.line_no
    assert alias_of(SECRET_SKU) in why["words"]
    assert f"{len(plan.lines)} lines with {plan.units} units" in found["words"]
    assert found["quality"] in found["words"]
    assert found["purpose"] in found["words"]
    assert found["purpose"].startswith(
        f"Of {len(plan.lines)} lines {len(plan.lines)} go to a site that is short of the SKU, and {len(plan.lines)} come"
    )
    assert found["policy"] == "standard 2026-01"
    assert found["current_facts"] is True


def test_the_limit_that_binds_a_plan_is_named(day: Day) -> None:
    found = asked(day.desk(PAT), "explain_plan")
    assert found["plan"] == day.second.digest
    assert found["binds"] == [
        "The plan as a whole is at a limit or near one: the request admits 1 lines and the plan has 1 lines.",
        "One line is held by no limit: a pack more would not pay.",
    ]
    assert all(words in found["words"] for words in found["binds"])


def test_the_current_plan_is_compared_with_the_one_before_it_line_by_line(day: Day) -> None:
    found = asked(day.desk(PAT), "compare_plans")
    assert (found["plan"]["plan"], found["other"]["plan"]) == (day.second.digest, day.first.digest)
    assert found["made_on_different"] == ["request"]
    assert found["difference"]["lines"] == len(day.second.lines) - len(day.first.lines)
    assert found["difference"]["units"] == day.second.units - day.first.units
    only = found["lines_only_in_other"]
    (dropped,) = [line for line in day.first.lines if line.sku_id == "P1"]
    assert only["count"] == 1
    assert (only["lines"][0]["sku"], only["lines"][0]["in_other"]["units"]) == ("P1", dropped.units)
    back = asked(day.desk(PAT), "compare_plans", plan=day.first.digest[:12], other=day.second.digest[:12])
    assert back["difference"]["units"] == -found["difference"]["units"]
    assert back["lines_only_in_plan"]["count"] == 1


def test_a_comparison_needs_two_plans(day: Day) -> None:
    assert "there is no plan in this conversation" in refusal(day.desk(PAT, plan=False), "compare_plans")
    alone = AtDesk(day.world(PAT), day.first.digest, (day.first.digest,))
    assert "no other plan in this conversation" in refusal(alone, "compare_plans")
    same = refusal(day.desk(PAT), "compare_plans", plan=day.first.digest[:8], other=day.first.digest)
    assert "one and the same plan" in same
    assert refusal(day.desk(PAT), "explain_plan", plan="0" * 12) == (
        "there is no plan 000000000000 within your sites; check its id"
    )


def test_a_closed_lane_a_frozen_sku_and_a_limit_change_the_plan_and_the_difference_says_by_how_much(day: Day) -> None:
    desk = day.desk(PAT, plan=False)
    usual = asked(desk, "what_if")
    assert usual["difference"]["words"].startswith("Both move the same.")
    for assumption in ({"closed_lanes": ["S1->S2 by van"]}, {"without": ["P1"]}, {"lines_max": 1}, {"without": ["S2"]}):
        found = asked(desk, "what_if", **assumption)
        assert found["as_things_are"] == usual["as_things_are"]
        assert found["difference"]["lines"] == found["what_if"]["lines"] - found["as_things_are"]["lines"] < 0
        assert found["difference"]["units"] == found["what_if"]["units"] - found["as_things_are"]["units"]
        assert "assumed world" not in found["difference"]["words"]


def test_demand_changes_where_it_is_said_to_and_nowhere_else(day: Day) -> None:
    desk = day.desk(PAT, plan=False)
    rows: dict[str, Counter[str]] = {}
    for of, said in {
        "nothing": {},
        "P1": {"demand_percent": 150, "demand_of": ["P1"]},
        "drinks": {"demand_percent": 150, "demand_of": ["drinks"]},
        "all": {"demand_percent": 150},
    }.items():
        rows[of] = Counter()
        for row in asked(desk, "what_if", **said)["what_if"]["top_lines"]:
            rows[of][row["sku"]] += row["units"]
    masked = alias_of(SECRET_SKU)
    assert rows["P1"] == rows["drinks"]
    assert rows["P1"]["P1"] > rows["nothing"]["P1"]
    # The solver stops within a gap, so that what nothing is assumed about may differ by a unit.
    assert abs(rows["P1"][masked] - rows["nothing"][masked]) <= 2
    assert rows["all"][masked] > rows["nothing"][masked] + 10
    assert "assumed world" in asked(desk, "what_if", demand_percent=150)["difference"]["words"]


def test_supply_is_late_where_it_is_said_to_be_and_nowhere_else(day: Day) -> None:
    desk = day.desk(PAT, plan=False)

    def to_s2(**said: object) -> tuple[int, int]:
        found = asked(desk, "what_if", mentions=["P1"], supply_delay_days=10, **said)
        lines = found["what_if"]["top_lines"]
        return found["purchase_orders_late"], sum(row["units"] for row in lines if row["to"] == "S2")

    (_, elsewhere), (_, here) = to_s2(supply_delay_of=["S3"]), to_s2(supply_delay_of=["P1", "S2"])
    assert here > elsewhere
    assert [to_s2(supply_delay_of=of) for of in (["S3"], ["P2"], [alias_of(SECRET_SKU)])] == [(0, elsewhere)] * 3
    assert [to_s2(supply_delay_of=of) for of in (["P1"], ["S2"], ["drinks"], ["drinks", "S2"], [])] == [(1, here)] * 5
    assert asked(day.desk(), "what_if", supply_delay_days=10)["purchase_orders_late"] == 2  # Pat does not see far
    assert "purchase_orders_late" not in asked(desk, "what_if")


def test_late_supply_of_something_needs_the_days(day: Day) -> None:
    assert "supply_delay_days" in refusal(day.desk(PAT, plan=False), "what_if", supply_delay_of=["P1"])


def test_a_lane_that_does_not_exist_is_not_closed_in_silence(day: Day) -> None:
    desk = day.desk(PAT, plan=False)
    assert refusal(desk, "what_if", closed_lanes=["S1->S2 by zeppelin"]) == (
        "'S1->S2 by zeppelin' is no lane that is known here; nearest: S1->S2 by van"
    )
    assert "is no lane" in refusal(desk, "what_if", closed_lanes=["S1->S1"])


def test_key_figures_are_counted_from_facts_and_say_what_they_are(day: Day) -> None:
    found = asked(day.desk(), "kpis")
    value = {row["name"]: row["value"] for row in found["figures"]}
    assert all(row["definition"] for row in found["figures"])
    assert (value["site_skus"], value["held_for_bad_data"], value["out_of_stock"]) == ("12", "2", "3")
    assert value["coverage"].startswith("under 1 day: 6")
    assert (value["approvals_waiting"], value["orders_open"], value["orders_overdue"]) == ("2", "1", "0")
    assert value["oldest_approval"] == "0 hours"
    of_one = {row["name"]: row["value"] for row in asked(day.desk(), "kpis", mentions=["P1", "S1"])["figures"]}
    assert of_one["site_skus"] == "1"
    assert "orders_open" not in of_one
    at_s3 = {row["name"]: row["value"] for row in asked(day.desk(), "kpis", mentions=["S3"])["figures"]}
    assert (at_s3["orders_open"], at_s3["approvals_waiting"], at_s3["site_skus"]) == ("0", "0", "3")


def test_status_is_filtered_by_state_site_and_whose_it_is(day: Day) -> None:
    desk = day.desk(PAT)
    found = asked(desk, "status")
    assert {row["requested_by"] for row in found["waiting"]} == {"pat", "paula"}
    assert (found["decided"], [row["state"] for row in found["orders"]]) == ([], [OrderState.RELEASED])
    assert {row["requested_by"] for row in asked(desk, "status", mine=True)["waiting"]} == {"pat"}
    assert asked(day.desk(), "status", mine=True)["orders"] == []
    approved = asked(desk, "status", about="approvals", approval_statuses=["approved", "rejected"])
    assert [(row["status"], row["decided_by"]) for row in approved["decided"]] == [("approved", "ada")]
    assert (approved["waiting"], approved["orders"]) == ([], [])
    assert asked(desk, "status", about="orders", order_states=["shipped"])["orders"] == []
    assert len(asked(desk, "status", about="orders", order_states=["shipped", "released"])["orders"]) == 1
    assert asked(desk, "status", sites=["S3"])["orders"] == []
    assert len(asked(desk, "status", sites=["S1"])["orders"]) == 1
    assert len(asked(desk, "status", about="approvals", limit=1)["waiting"]) == 1


def test_what_if_is_asked_a_few_times_in_a_run_and_then_refused(day: Day) -> None:
    world = day.world(PAT)
    calls = [
        {"name": "what_if", "args": {"mentions": ["P9"]}, "id": f"c{number}"} for number in range(SOLVING_CALLS_MAX + 1)
    ]
    update = toolbox({"messages": [AIMessage("", tool_calls=calls)]}, Runtime(context=Context(world)))
    said = [json.loads(message.content)["error"] for message in update["messages"]]
    assert all("'P9' is no SKU" in words for words in said[:-1])
    assert said[-1] == "this run has asked what_if 5 times, which is the most there is"
    again = toolbox(
        {"messages": [AIMessage("", tool_calls=calls[:1])], "calls": update["calls"]}, Runtime(context=Context(world))
    )
    assert "which is the most there is" in again["messages"][0].content


def test_the_toolbox_knows_the_plans_that_were_made_in_the_conversation(day: Day) -> None:
    made = [
        ToolMessage(json.dumps({"plan": plan.digest, "lines": 1}), tool_call_id="c", name="propose_plan")
        for plan in (day.first, day.second)
    ]
    call = AIMessage("", tool_calls=[{"name": "compare_plans", "args": {}, "id": "c9"}])
    state: Any = {"messages": [*made, call], "plan_digest": day.second.digest}
    update = toolbox(state, Runtime(context=Context(day.world(PAT))))
    assert json.loads(update["messages"][0].content)["other"]["plan"] == day.first.digest
