"""What an examination comes to, the worst first. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Verdict(enum.StrEnum):
    """How something is, the worst first."""

    PROBLEM = "problem"  # it does not work, or will lose something
    WARNING = "warning"  # it works, and deserves a look
    OK = "ok"


_ORDER = list(Verdict)


class Finding(NamedTuple):
    """What was found. Its texts hold no secrets and no personal data.

    Attributes:
        subject: what was looked at, such as `disk`.
        verdict: see there.
        said: what was found.
        todo: what to do next; "" where nothing.
    """

    subject: str
    verdict: Verdict
    said: str
    todo: str = ""


def ok(subject: str, said: str) -> Finding:
    """Nothing is wrong."""
    return Finding(subject, Verdict.OK, said)


def warning(subject: str, said: str, todo: str) -> Finding:
    """It works, and deserves a look."""
    return Finding(subject, Verdict.WARNING, said, todo)


def problem(subject: str, said: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(subject, Verdict.PROBLEM, said, todo)


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """In the order in which a person reads them; those of one verdict stay as they were."""
    return sorted(found, key=lambda finding: _ORDER.index(finding.verdict))


def count(found: Iterable[Finding], verdict: Verdict) -> int:
    """How many have it."""
    return sum(finding.verdict is verdict for finding in found)


def tree(found: Sequence[Finding]) -> dict[str, Any]:
    """For scripts."""
    return {
        "sound": not count(found, Verdict.PROBLEM),
        "problems": count(found, Verdict.PROBLEM),
        "warnings": count(found, Verdict.WARNING),
        "findings": [{**finding._asdict(), "verdict": str(finding.verdict)} for finding in found],
    }


def named(names: Sequence[str], most: int = 3) -> str:
    """Some of the names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
