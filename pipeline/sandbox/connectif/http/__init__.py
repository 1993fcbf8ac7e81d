"""The HTTP side: requests in, responses out, the limit of calls, injected faults, and the control API."""
