"""The released policy documents that ship with the project, by digest."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files

from policies.schema import Policy


class UnknownPolicyError(LookupError):
    """No released document has this digest or release."""

    def __init__(self, wanted: str) -> None:
        known = ", ".join(f"{policy.release} ({policy.digest[:12]})" for policy in releases())
        super().__init__(f"no released policy is called {wanted!r}; released are {known}")
        self.wanted = wanted


@cache
def releases() -> tuple[Policy, ...]:
    """Every released document, oldest first. A document that does not fit the schema stops the program."""
    documents = sorted(files("policies.releases").iterdir(), key=lambda entry: entry.name)
    found = (read_policy(entry.read_text(encoding="utf-8")) for entry in documents if entry.name.endswith(".toml"))
    return tuple(sorted(found, key=lambda policy: policy.release))


def read_policy(text: str) -> Policy:
    """The policy that a TOML text describes. Raises tomllib.TOMLDecodeError or pydantic.ValidationError."""
    return Policy.model_validate_json(json.dumps(tomllib.loads(text)))


def released(name: str) -> Policy:
    """The released document with this release name or digest (12 characters are enough). Raises UnknownPolicyError."""
    for policy in releases():
        if name == policy.release or (len(name) >= 12 and policy.digest.startswith(name)):
            return policy
    raise UnknownPolicyError(name)
