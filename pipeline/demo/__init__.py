"""`pipeline demo`: thousands of real-shaped webhooks go through everything; the sandbox's ledger judges.

`traffic` makes the webhooks and states what must come of them from its own knowledge of what it made; nothing
here asks an adapter what a body means.
"""
