"""The names of the nodes. Stored in checkpoints: add to them, never rename."""

from __future__ import annotations

PLANNER = "planner"
TOOLBOX = "toolbox"
DRAFTER = "drafter"
CONSTRAINT_CHECKER = "constraint_checker"
NEGOTIATOR = "negotiator"
PRESENTER = "presenter"
APPROVAL_REQUEST = "approval_request"
APPROVAL_GATE = "approval_gate"
DECISION_READER = "decision_reader"
EXECUTOR = "executor"
REPORTER = "reporter"
