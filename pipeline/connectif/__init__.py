"""The Connectif HTTP API as this program uses it: one client per account, typed answers, exact bodies."""
