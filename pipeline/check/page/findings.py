"""What is found in a page: how bad, where, what follows and what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

#: Findings of a severity that are kept; the rest is counted.
FINDINGS_MAX = 500
#: Characters of a text that a finding repeats.
QUOTED_MAX = 120


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # Connectif records nothing, or something wrong
    WARNING = "warning"  # recorded, but at risk
    NOTE = "note"  # worth knowing


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them.

    Attributes:
        about: the place, such as `purchase[0].items[1].product_id`.
        code: the same word for the same fault, for scripts.
        what: in a sentence.
        effect: what follows from it.
        hint: what to do.
        text: as the page has it; None where that is nothing or says nothing more.
        personal: the text is a person's.
    """

    severity: Severity
    about: str
    code: str
    what: str
    effect: str = ""
    hint: str = ""
    text: str | None = None
    personal: bool = False


@dataclass(slots=True)
class Findings:
    """Collects them."""

    kept: list[Finding] = field(default_factory=list)
    left_out: int = 0
    _counts: Counter[Severity] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Keep one, or count it."""
        self._counts[finding.severity] += 1
        if self._counts[finding.severity] <= FINDINGS_MAX:
            self.kept.append(finding)
        else:
            self.left_out += 1

    def error(
        self, about: str, code: str, what: str, effect: str = "", hint: str = "", **more: object
    ) -> None:
        """Connectif records nothing, or something wrong."""
        self._say(Severity.ERROR, about, code, (what, effect, hint), more)

    def warning(
        self, about: str, code: str, what: str, effect: str = "", hint: str = "", **more: object
    ) -> None:
        """It is recorded, but at risk."""
        self._say(Severity.WARNING, about, code, (what, effect, hint), more)

    def note(
        self, about: str, code: str, what: str, effect: str = "", hint: str = "", **more: object
    ) -> None:
        """It is worth knowing."""
        self._say(Severity.NOTE, about, code, (what, effect, hint), more)

    def _say(
        self, severity: Severity, about: str, code: str, said: tuple[str, str, str], more: dict[str, object]
    ) -> None:
        text, personal = more.get("text"), bool(more.get("personal"))
        shown = None if text is None else quoted(str(text))
        self.add(Finding(severity, about, code, *said, text=shown, personal=personal))

    def has_error(self, about: str) -> bool:
        """Whether something is wrong at a place or below it."""
        return any(
            one.severity is Severity.ERROR
            and (one.about == about or one.about.startswith((f"{about}.", f"{about}[")))
            for one in self.kept
        )


def quoted(text: str) -> str:
    """The beginning of a text from outside, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED_MAX else f"{line[:QUOTED_MAX]}…"


def figure(number: float) -> str:
    """A number as the client sends it."""
    return f"{number:.15g}"
