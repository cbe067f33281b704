"""How what comes in over HTTP is read: text that can be kept, and strict values out of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, Field

from tools.rejections import Rejection
from tools.transfers import PlanRequest

ModelT = TypeVar("ModelT", bound=BaseModel)


Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Text from outside: PostgreSQL stores no NUL."""
Reason = Annotated[Text, Field(min_length=1, max_length=1_000)]
"""Why somebody does something; it is recorded."""


def _from_json(model: type[ModelT]) -> Callable[[object], ModelT]:
    """Reads a strict value by the rules for JSON.

    FastAPI hands over what it parsed, and among Python values a strict field takes
    neither a list for a tuple nor a word for a member of an enumeration.
    """

    def read(value: object) -> ModelT:
        return value if isinstance(value, model) else model.model_validate_json(json.dumps(value))

    return read


JsonPlanRequest = Annotated[PlanRequest, BeforeValidator(_from_json(PlanRequest))]
JsonRejection = Annotated[Rejection, BeforeValidator(_from_json(Rejection))]
