"""What the next call is for: the pending index, lanes, imports, and the scheduler over them. Pure."""
