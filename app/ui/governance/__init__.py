"""Governance: policies, stops, data, audit, people, settings."""
