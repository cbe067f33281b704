"""Grounding: what an answer of the llm says is compared with what it was shown."""

from graphs.grounding.check import flagged, repair_request, unsourced
from graphs.grounding.evidence import UNSOURCED, Evidence
from graphs.grounding.vocabulary import Vocabulary

__all__ = ["UNSOURCED", "Evidence", "Vocabulary", "flagged", "repair_request", "unsourced"]
