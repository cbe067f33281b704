"""A conversation with the baseline in the real graph: a slip in a name, a follow-up, and back again."""

from __future__ import annotations

import json

from langchain_core.messages import AIMessage

from app.service import Service
from tests.conversation import Turn, talk
from tests.installation import settle_in


def requests(turn: Turn) -> list[dict[str, object]]:
    """The arguments of every plan request of the conversation, in the order in which they were made."""
    calls = [call for message in turn.messages if isinstance(message, AIMessage) for call in message.tool_calls]
    return [call["args"] for call in calls if call["name"] == "propose_plan"]


def test_a_planner_mistypes_a_site_narrows_the_plan_goes_back_and_looks_at_the_difference(service: Service) -> None:
    settle_in(service)
    first = talk(service, "move p-1 to site s-2")
    assert "I read 'p-1' as P1." in first.words
    assert "I read 's-2' as S2." in first.words
    assert requests(first)[-1] == {"mentions": ["P1"], "to_sites": ["S2"]}
    narrower = talk(service, "make it 1 line max, max 2 units", thread_id=first.thread_id)
    assert requests(narrower)[-1] == {"mentions": ["P1"], "to_sites": ["S2"], "lines_max": 1, "units_max": 2}
    assert narrower.words.startswith("I took that as: a plan for P1, to S2, at most 1 line, at most 2 units.")
    back = talk(service, "undo that", thread_id=first.thread_id)
    assert requests(back)[-1] == requests(first)[-1]
    assert back.words.startswith("Back to the plan request before")
    explained = talk(service, "explain the plan", thread_id=first.thread_id)
    assert json.loads(explained.tools[-1][1])["plan"] == back.values["plan_digest"]
    everything_else = talk(service, "compare it with the previous plan", thread_id=first.thread_id)
    assert everything_else.tools[-1][0] == "compare_plans"
    assert "cannot read" not in f"{explained.words} {everything_else.words}"
