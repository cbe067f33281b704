"""Grounding: what an answer of the llm says is compared with what it was shown, before anybody sees it."""

from graphs.grounding.check import flagged, repair_request, sourced_beginning, unsourced
from graphs.grounding.evidence import UNSOURCED, Evidence
from graphs.grounding.gate import Gate
from graphs.grounding.vocabulary import Vocabulary

__all__ = [
    "UNSOURCED", "Evidence", "Gate", "Vocabulary", "flagged", "repair_request", "sourced_beginning", "unsourced",
]  # fmt: skip
