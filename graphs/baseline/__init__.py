"""The baseline: a rule-based chat model that answers where no llm is configured or reachable.

It goes through the same planner node and the same toolbox as an llm. It reads a small,
documented part of English (`docs/baseline_language.md`), asks where it did not understand
every word, and puts tool results into plain sentences.
"""

from graphs.baseline.chat_model import BaselineChatModel
from graphs.baseline.language import understand
from graphs.baseline.understood import Ask, Call

__all__ = ["Ask", "BaselineChatModel", "Call", "understand"]
