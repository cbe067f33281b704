from __future__ import annotations

import json
from datetime import date

import pytest
from pydantic import ValidationError

from tools.catalog import (
    CATALOG,
    SOLVING_CALLS_MAX,
    Arguments,
    ComparePlans,
    Coverage,
    ExplainBlocked,
    ExplainLine,
    ExplainNegotiation,
    ExplainPlan,
    Imbalances,
    Kpis,
    PolicyInWords,
    ProposePlan,
    Reach,
    SignalQuality,
    Status,
    WhatIf,
)
from tools.inventory import LaneKey
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent


class Listener:
    """A desk that says which of its calls was made, and with what."""

    def __getattr__(self, call):
        return lambda arguments: {"call": call, "arguments": arguments}


def test_the_catalogue_is_closed():
    assert set(CATALOG) == {
        "find_imbalances",
        "coverage",
        "what_if",
        "explain_line",
        "explain_plan",
        "compare_plans",
        "explain_negotiation",
        "explain_blocked",
        "signal_quality",
        "status",
        "kpis",
        "policy",
        "propose_plan",
        "submit_plan",
    }
    assert all(tool.name == name for name, tool in CATALOG.items())


def test_no_tool_writes_and_requests_have_no_answer_of_their_own():
    assert {reach.value for reach in Reach} == {"read", "what_if", "request"}
    requests = {name for name, tool in CATALOG.items() if tool.reach is Reach.REQUEST}
    assert (
        requests == {"propose_plan", "submit_plan"} == {name for name, tool in CATALOG.items() if tool.answer is None}
    )


@pytest.mark.parametrize(
    ("name", "arguments", "call"),
    [
        ("find_imbalances", Imbalances(), "imbalances"),
        ("coverage", Coverage(mentions=("P1",)), "coverage"),
        ("what_if", WhatIf(), "what_if"),
        ("explain_line", ExplainLine(), "explain_line"),
        ("explain_plan", ExplainPlan(), "explain_plan"),
        ("compare_plans", ComparePlans(), "compare_plans"),
        ("explain_negotiation", ExplainNegotiation(), "explain_negotiation"),
        ("explain_blocked", ExplainBlocked(mentions=("P1", "S1")), "explain_blocked"),
        ("signal_quality", SignalQuality(), "signal_quality"),
        ("kpis", Kpis(), "kpis"),
        ("status", Status(), "status"),
        ("policy", PolicyInWords(), "policy"),
    ],
)
def test_a_tool_asks_the_desk_its_own_question(name, arguments, call):
    assert CATALOG[name].answer(Listener(), arguments) == {"call": call, "arguments": arguments}


@pytest.mark.parametrize("name", CATALOG)
def test_every_tool_describes_itself_and_its_arguments(name):
    schema = CATALOG[name].schema()
    function = schema["function"]
    assert (schema["type"], function["name"]) == ("function", name)
    assert function["description"].endswith(".")
    assert function["description"] == CATALOG[name].description
    parameters = function["parameters"]
    assert parameters["type"] == "object"
    assert parameters["additionalProperties"] is False
    assert not {"title", "description"} & set(parameters)
    assert json.loads(json.dumps(schema)) == schema


def test_a_tool_without_words_has_an_empty_description():
    class Wordless(Arguments):
        pass

    Wordless.__doc__ = None
    tool = type(CATALOG["policy"])("wordless", Wordless, Reach.READ, None)
    assert tool.description == ""


@pytest.mark.parametrize(
    ("arguments", "document"),
    [
        (ProposePlan, {"units_max": "5"}),
        (ProposePlan, {"units_max": 5.0}),
        (ProposePlan, {"units_max": True}),
        (ProposePlan, {"units_max": -1}),
        (ProposePlan, {"units": 5}),
        (ProposePlan, {"lines": [{"sku": "P1", "units": 5}]}),
        (ProposePlan, {"mentions": "P1"}),
        (ProposePlan, {"mentions": ["x" * 81]}),
        (ProposePlan, {"mentions": [""]}),
        (ProposePlan, {"mentions": ["x"] * 201}),
        (ProposePlan, {"within_days": 366}),
        (ProposePlan, {"emergency_rescue": 1}),
        (ProposePlan, {"emergency_rescue": "true"}),
        (ProposePlan, {"emergency_rescue": None}),
        (WhatIf, {"demand_percent": 1_001}),
        (WhatIf, {"service_level_percent": 100}),
        (WhatIf, {"closed_lanes": ["a->b"] * 51}),
        (Imbalances, {"kinds": ["shortages"]}),
        (Imbalances, {"limit": 51}),
        (Imbalances, {"offset": -1}),
        (Imbalances, {"at_stake_min": 10**30}),
        (Imbalances, {"at_stake_min": -1}),
        (Imbalances, {"at_stake_min": 1.0}),
        (Imbalances, {"at_stake_min": float("nan")}),
        (Imbalances, {"at_stake_min": float("inf")}),
        (Imbalances, {"rank_by": "saving"}),
        (Imbalances, {"kinds": ["shortage"] * 5}),
        (Coverage, {"mentions": ["P1"], "days_of_cover_max": 3_651}),
        (WhatIf, {"demand_of": ["P1"]}),
        (WhatIf, {"lines_max": 10**30}),
        (ExplainPlan, {"plan": "abcdef0"}),
        (ExplainPlan, {"plan": "ABCDEF01"}),
        (ExplainPlan, {"plan": "a" * 65}),
        (ExplainPlan, {"plan": "%%%%%%%%"}),
        (ExplainPlan, {"limit": 11}),
        (ComparePlans, {"limit": 21}),
        (Status, {"approval_statuses": ["PENDING"]}),
        (Status, {"order_states": ["gone"]}),
        (Status, {"mine": 1}),
        (Status, {"about": "ledger"}),
        (SignalQuality, {"offset": 1_000_001}),
        (Kpis, {"mentions": ["P1"] * 1_000}),
        (Coverage, {}),
        (Coverage, {"mentions": []}),
        (ExplainLine, {"line_no": 0}),
        (ExplainBlocked, {}),
        (ExplainBlocked, {"mentions": ["P1"], "units_wanted": 0}),
        (PolicyInWords, {"approve": True}),
    ],
)
def test_arguments_that_are_unknown_coerced_or_out_of_bounds_are_refused(arguments, document):
    with pytest.raises(ValidationError):
        arguments.model_validate_json(json.dumps(document))


LOOK_ALIKES = {
    "cyrillic": "\u0421\u0415-1",
    "full width": "\uff30\uff11",
    "zero width": "P\u200b1",
    "right to left": "\u202eP1",
    "decomposed": "Zu\u0308rich",
    "dotless i": "S\u0131te",
    "kelvin": "\u212a1",
    "tag": "P1\U000e0041",
    "escape": "P1\x1b[31m",
    "line": "P1\n",
    "nothing": "P1\x00",
    "surrogate": "P1\ud800",
}


def fields_of_names() -> list[tuple[str, str]]:
    """Every argument of every tool that takes names."""
    return [
        (tool.name, field)
        for tool in CATALOG.values()
        for field in ("mentions", "without", "sites", "from_sites", "to_sites", "closed_lanes", "demand_of")
        if field in tool.arguments.model_fields
    ]


@pytest.mark.parametrize(("tool", "field"), fields_of_names())
def test_a_name_in_look_alike_or_unseen_characters_is_refused(tool, field):
    others = {"mentions": ["P1"]} if tool in {"coverage", "explain_blocked"} else {}
    others |= {"demand_percent": 120} if tool == "what_if" else {}
    taken = CATALOG[tool].arguments.model_validate_json(json.dumps(others | {field: ["Crème brûlée, 2 x Škoda → ž"]}))
    assert getattr(taken, field) == ("Crème brûlée, 2 x Škoda → ž",)
    for name in LOOK_ALIKES.values():
        with pytest.raises(ValidationError):
            CATALOG[tool].arguments.model_validate_json(json.dumps(others | {field: [name]}))


@pytest.mark.parametrize("name", CATALOG)
def test_every_number_text_and_list_of_a_tool_has_bounds_that_the_schema_states(name):
    schema = CATALOG[name].arguments.model_json_schema()
    for field, said in schema["properties"].items():
        for kind in said.get("anyOf", [said]):
            match kind.get("type"):
                case "integer":
                    assert {"minimum", "maximum"} <= set(kind), field
                    assert kind["maximum"] <= 10**9, field
                case "string":
                    assert {"enum", "pattern"} & set(kind), field
                case "array":
                    assert kind["maxItems"] <= 200, field
                case other:
                    assert other in {"boolean", "null"}, (field, other)


def test_tools_that_solve_may_be_asked_a_few_times_in_a_run():
    limited = {tool.name: tool.calls_max for tool in CATALOG.values() if tool.calls_max is not None}
    assert limited == {"what_if": SOLVING_CALLS_MAX, "explain_blocked": SOLVING_CALLS_MAX}


def test_a_plan_is_no_emergency_unless_that_is_said_and_the_llm_is_told_who_decides():
    assert ProposePlan().emergency_rescue is False
    assert ProposePlan.model_validate_json('{"emergency_rescue": true}').emergency_rescue is True
    described = CATALOG["propose_plan"].schema()["function"]["parameters"]["properties"]["emergency_rescue"]
    assert described["type"] == "boolean"
    assert "policy decides" in described["description"]


def test_arguments_come_as_the_user_wrote_them():
    asked = ProposePlan.model_validate_json('{"mentions": ["Oat drink", "the north"], "units_max": 500}')
    assert (asked.mentions, asked.units_max, asked.transport_budget) == (("Oat drink", "the north"), 500, None)
    assert Imbalances.model_validate_json('{"kinds": ["shortage", "stranded"]}').kinds == ("shortage", "stranded")


def test_no_argument_names_a_quantity_to_move():
    fields = {field for tool in CATALOG.values() for field in tool.arguments.model_fields}
    assert not {"units", "packs", "quantity", "qty"} & fields


def test_what_an_erp_can_say_is_a_closed_set():
    assert {state.value for state in ErpTransferState} == {
        "confirmed", "shipped", "partially_received", "received", "cancelled",
    }  # fmt: skip
    content = TransferContent("T-1", "P1", LaneKey("S1", "S2", "van"), 5, date(2026, 3, 3), date(2026, 3, 4))
    held = ErpTransfer(content.reference, "7", ErpTransferState.CONFIRMED, content.units)
    assert (held.reference, held.units) == ("T-1", 5)
    assert Refused("closed period").reason == "closed period"
    assert issubclass(ErpUncertainError, Exception)
