"""`pipeline demo`: thousands of webhooks go through everything, checked with the sandbox's ledger.

`traffic` makes the webhooks and states what must come of them from its own knowledge of what it made; nothing
here asks an adapter what a body means.
"""
