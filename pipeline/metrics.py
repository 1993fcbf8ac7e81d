"""Every series this program exports, in one place: its meaning, and what a bad value tells.

Counters start at 0 with each process: use `rate()`. The account of records (`pipeline_account_*`) is read
from the stages' tables instead, so it survives crashes and is exact; sum it over instances.
Labels are bounded: stores and accounts come from the settings, reasons from the code.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

READY = Gauge("pipeline_ready", "1 while the process takes traffic or processes events.", ["process"])

__all__ = ["LATENCY", "READY", "Counter", "Gauge", "Histogram"]
