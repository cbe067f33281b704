"""The system prompt: rendered from the policy and the limits in force, so that no number in it is typed twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from graphs.world import RunLimits
from tools.canonical import digest
from tools.catalog import CATALOG


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the llm is told before everything else. The digest is that of the rendered text."""

    text: str
    digest: str


def system_prompt(policy: str, limits: RunLimits) -> Prompt:
    """The prompt under a policy, in words that the caller may read, and the limits of a run."""
    text = _template().format(policy=policy, limits=_in_words(limits))
    return Prompt(text, digest({"prompt": text}))


@cache
def schemas() -> Sequence[dict[str, Any]]:
    """The tools as the llm is offered them."""
    return tuple(tool.schema() for tool in CATALOG.values())


@cache
def catalogue_digest() -> str:
    """The version of the tool catalogue: another name, sentence or argument makes another digest."""
    return digest({"catalogue": json.dumps(schemas(), sort_keys=True)})


def _in_words(limits: RunLimits) -> str:
    return f"{limits.llm_calls_max} answers of yours and {limits.tool_calls_max} tool calls."


@cache
def _template() -> str:
    return files("graphs.prompts").joinpath("planner.md").read_text(encoding="utf-8")
