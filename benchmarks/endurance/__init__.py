"""Long runs in which something is broken all the time, judged by the sandbox's ledger."""
