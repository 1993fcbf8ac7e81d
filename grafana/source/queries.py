"""Forms of PromQL that several dashboards ask in."""

from __future__ import annotations

from collections.abc import Mapping

#: The time that is shown, and what a graph rates over.
SHOWN, RATED = "$__range", "$__rate_interval"
#: What becomes of the events that were received, and of the records that were accepted.
OF_EVENTS = ("accepted", "duplicate", "stale", "ignored", "rejected")
OF_RECORDS = ("delivered", "unchanged", "superseded", "pending", "dead")
#: Orders that a reconcile does not find as they ought to be.
NOT_FOUND = "missing|different|unknown|only_connectif"


def counted(counter: str, window: str) -> str:
    """By how much counters rose; one that was not there before counts from 0, so the first is seen."""
    risen = f"increase({counter}[{window}]) and {counter} offset {window}"
    return f"({risen}) or ({counter} unless {counter} offset {window})"


def newly(gauge: str, window: str) -> str:
    """By how much an exact count rose, which a partition that moves takes away for some seconds."""
    before = f"max_over_time({gauge}[5m:1m] offset {window})"
    return f"clamp_min({gauge} - ({before} or 0 * {gauge}), 0)"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Of a histogram: the value that this share is below of, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({labels}) (rate({histogram}_bucket[{RATED}])))"


def top(expression: str) -> str:
    """The highest now, as many as are chosen."""
    return f"sort_desc(topk($top, {expression}))"


def top_lines(expression: str, by: str) -> str:
    """The lines of a graph that are highest at its end: as many as are chosen, and not more over time."""
    return f"({expression}) and on ({by}) topk($top, {at_the_end(expression)})"


def at_the_end(expression: str) -> str:
    """The same at the end of what is shown."""
    return f"last_over_time(({expression})[1s:100ms] @ end())"


def or_none(expression: str) -> str:
    """0 where there is nothing."""
    return f"{expression} or vector(0)"


def or_zero(expression: str) -> str:
    """The lines of an expression with whatever labels they have; 0 where there is none."""
    return f"{expression} or (vector(0) unless on () {expression})"


def named(parts: Mapping[str, str], label: str) -> str:
    """Several expressions in one, each with its name as a label."""
    return " or ".join(
        f'label_replace({expression}, "{label}", "{name}", "", "")' for name, expression in parts.items()
    )
