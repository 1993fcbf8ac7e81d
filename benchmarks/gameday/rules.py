"""The alerts as a game day has them: their minute is a second, as Connectif's is in the sandbox."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

#: What times are divided by; of an alert that looks a day back, so that its day is a minute.
SPEED, SPEEDS = 60, {"StoreSilent": 1_440}
#: Seconds that stand in an expression: alert -> as they are, and as they are here.
BOUNDS = {
    "ConnectifFails": ("> 120", "> 10"),
    "ConsentsLate": ("> 900", "> 15"),
    "FeedNotRead": ("> 900", "> 15"),
    "FetchesLate": ("> 900", "> 15"),
    "RecordsWaitTooLong": ("> 1800", "> 30"),
    "SyncFails": ("> 1800", "> 30"),
}
#: It is about this machine's disk, whatever else is on it.
LEFT_OUT = frozenset({"DiskFillsUp"})
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: A moment of the past, in seconds before now.
_AGO = re.compile(r"(?<=time\(\) - )\d+")
_TIME = re.compile(r"(?P<before>[\[:]|offset )(?P<count>\d+)(?P<unit>[smhdw])(?=[\]:\s)]|$)")


def shorter(expression: str, speed: int) -> str:
    """An expression, or a time alone, with every time divided; a second is the least."""

    def divided(found: re.Match[str]) -> str:
        seconds = int(found["count"]) * _SECONDS[found["unit"]]
        return f"{found['before']}{max(1, round(seconds / speed))}s"

    ago = _AGO.sub(lambda found: str(max(1, round(int(found[0]) / speed))), expression)
    return _TIME.sub(divided, ago)


def changed(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as a game day has it.

    Raises:
        ValueError: its expression lacks a bound that `BOUNDS` has: that is to be brought up to date.
    """
    name = rule.get("alert", "")
    speed = SPEEDS.get(name, SPEED)
    expression = shorter(rule["expr"], speed)
    before, after = BOUNDS.get(name, ("", ""))
    if before not in expression:
        raise ValueError(f"{name} has no bound {before}")
    if before:
        expression = expression.replace(before, after)
    held = {"for": shorter(f":{rule['for']}", speed)[1:]} if "for" in rule else {}
    return {**rule, "expr": expression, **held}


def written(rules: Sequence[Path], directory: Path) -> list[Path]:
    """Files of rules as a game day has them, in a directory that is made."""
    directory.mkdir()
    found = []
    for path in rules:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for group in groups:
            group["rules"] = [changed(rule) for rule in group["rules"] if rule.get("alert") not in LEFT_OUT]
        found.append(directory / path.name)
        found[-1].write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    return found
