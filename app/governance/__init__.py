"""What governs the service: the policy release in force and the stops."""
