"""How long a plan waits for its decision."""

from __future__ import annotations

from policies.schema import Policy
from tools.inventory import Snapshot


def approval_latency_days(policy: Policy, snapshot: Snapshot) -> int:
    """Days from a plan to its decision: what the facts say, measured or set, and the policy's number where they do not."""
    stated = snapshot.approval_latency_days
    return policy.horizon.approval_latency_days if stated is None else stated
