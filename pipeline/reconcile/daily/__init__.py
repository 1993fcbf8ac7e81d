"""Reconciles every day the stores that ask for it: when, by which process, and what came of it."""
