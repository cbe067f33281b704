"""The desk answers the tools of the catalogue for one caller: what it says is dated, cut to their sites, masked and bounded.

`seen` is the caller's view of the world, `stock`, `plans`, `what_ifs` and `service`
hold the answers by what they are about, `desk` puts them behind one class, and
`answering` carries out a call as it came.
"""

from graphs.desk.answering import REFUSALS, Answered, answer_text, checked, refusal, refusal_words
from graphs.desk.desk import AtDesk
from graphs.shortfalls import NothingToExplainError

__all__ = [
    "REFUSALS",
    "Answered",
    "AtDesk",
    "NothingToExplainError",
    "answer_text",
    "checked",
    "refusal",
    "refusal_words",
]
