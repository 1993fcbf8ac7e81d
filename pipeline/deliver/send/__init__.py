"""The calls of one account: admitted within its limit, made, retried, and turned into receipts."""
