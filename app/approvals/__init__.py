"""Approval requests and decisions: nothing moves without one recorded, unexpired, unused decision on exactly that plan."""
