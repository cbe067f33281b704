"""The systems that transfers are posted to, behind the port in `tools.ports`."""
