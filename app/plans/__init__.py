"""Snapshots and transfer plans, stored once under the digest of their content."""
