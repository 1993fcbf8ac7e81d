"""Whole shops from the first full sync to the daily pull, beside what Connectif must hold of them.

The small one is `tests/integration/test_sync_proof.py`, the full one `benchmarks/sync_proof.py`.
"""
