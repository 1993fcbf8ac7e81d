"""Letters counted by what they have in common: as many numbers as there are groups, however many letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.dead.letter import Letter
from pipeline.dead.state import LetterState, LetterStatus

#: Letters of strangers may say anything: what comes after so many groups is counted as one.
MOST_GROUPS = 10_000
OTHERS = "(others)"


class GroupKey(NamedTuple):
    """What the letters of one group have in common."""

    account: str
    store: str
    stage: str
    kind: str
    reason: str
    state: str


_REST = GroupKey(OTHERS, OTHERS, OTHERS, OTHERS, OTHERS, OTHERS)


@dataclass(slots=True)
class LetterGroup:
    """Some letters: how many, how many of them came back, when the first and the last arrived."""

    key: GroupKey
    count: int = 0
    came_back: int = 0
    oldest_ms: int = 0
    newest_ms: int = 0

    def tree(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **self.key._asdict(),
            "count": self.count,
            "came_back": self.came_back,
            "oldest_ms": self.oldest_ms,
            "newest_ms": self.newest_ms,
        }


class LetterGroups:
    """Counts letters as they are read."""

    def __init__(self) -> None:
        self._groups: dict[GroupKey, LetterGroup] = {}
        self.states: Counter[LetterState] = Counter()

    def add(self, letter: Letter, status: LetterStatus) -> None:
        """Count one."""
        key = GroupKey(
            letter.account, letter.store, letter.stage, letter.kind, letter.reason, status.state.value
        )
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                key = _REST
            group = self._groups.setdefault(key, LetterGroup(key, oldest_ms=letter.at_ms))
        group.count += 1
        group.came_back += status.came_back > 0
        group.oldest_ms = min(group.oldest_ms, letter.at_ms)
        group.newest_ms = max(group.newest_ms, letter.at_ms)
        self.states[status.state] += 1

    def rows(self) -> list[LetterGroup]:
        """All groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.key))
