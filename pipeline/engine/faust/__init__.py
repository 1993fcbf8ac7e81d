"""Faust, fenced: membership, assignment and scheduling behind `engine.runtime.Runtime` (docs/adr/0002)."""
