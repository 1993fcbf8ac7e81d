"""Plan and explain: what would be sent and why, for a person or as JSON."""
