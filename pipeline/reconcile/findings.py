"""The findings of a run, as every report shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.reconcile.database import Database
from pipeline.reconcile.repair import Repair
from pipeline.reconcile.rules import Category, OrderStage, OrderVerdict
from pipeline.reconcile.words import in_words

#: What is worth a person's look, the worst first; the others are only counted.
REPORTED = (
    Category.MISSING,
    Category.DIFFERENT,
    Category.ONLY_CONNECTIF,
    Category.UNKNOWN,
    Category.PENDING,
    Category.NOT_DUE,
)


class Finding(NamedTuple):
    """One order; texts, as a table shows them."""

    id: str
    number: str
    day: str
    category: str
    stage: str
    reason: str
    detail: str
    shop_total: str | None
    connectif_total: str | None
    shop_status: str
    why: str
    way_out: str
    account: str = ""


@dataclass(slots=True)
class Summary:
    """A run as a whole.

    Attributes:
        store: its name.
        accounts: of the store.
        began: when.
        since, until: what was asked for, in words; empty: open.
        shop: where the shop's list is from.
        connectif: what said what Connectif has.
        remarks: what could not be read or compared.
        repair: what was sent again; None: that was not asked for.
        counts: by category.
        stages: of the missing, by stage and reason.
        days: day -> category -> orders.
        stages_of_days: day -> stage -> missing orders.
    """

    store: str
    accounts: tuple[str, ...]
    began: datetime
    since: str = ""
    until: str = ""
    shop: str = ""
    connectif: str = ""
    remarks: list[str] = field(default_factory=list)
    repair: Repair | None = None
    counts: Counter[str] = field(default_factory=Counter)
    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: dict[str, Counter[str]] = field(default_factory=dict)
    stages_of_days: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The store's account, or all of them."""
        return ", ".join(self.accounts)

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing, different or only in Connectif."""
        wrong = (Category.MISSING, Category.DIFFERENT, Category.ONLY_CONNECTIF)
        return not any(self.counts[category] for category in wrong)

    def as_json(self) -> dict[str, Any]:
        """For scripts, without the findings."""
        return {
            "store": self.store,
            "account": self.account,
            "accounts": list(self.accounts),
            "began": self.began.isoformat(timespec="seconds"),
            "since": self.since or None,
            "until": self.until or None,
            "shop": self.shop,
            "connectif": self.connectif,
            "agrees": self.agrees,
            "remarks": self.remarks,
            "repair": None if self.repair is None else self.repair.as_json(),
            "counts": {category.value: self.counts[category] for category in Category},
            "missing": [
                {"stage": stage, "reason": reason, "orders": count}
                for (stage, reason), count in self.stages.most_common()
            ],
            "days": [
                {"day": day, **{category.value: counts[category] for category in Category}}
                for day, counts in self.days.items()
            ],
        }


def count(database: Database, summary: Summary) -> None:
    """Fill the counts of a summary from the findings."""
    question = "SELECT day, category, stage, reason, COUNT(*) FROM findings GROUP BY 1, 2, 3, 4 ORDER BY 1"
    for day, category, stage, reason, number in database.rows(question):
        summary.counts[category] += number
        summary.days.setdefault(day, Counter())[category] += number
        if category == Category.MISSING:
            summary.stages[stage, reason] += number
            summary.stages_of_days.setdefault(day, Counter())[stage] += number


def findings(
    database: Database, categories: Sequence[Category] = REPORTED, most: int | None = None
) -> Iterator[Finding]:
    """The findings of some categories, in their order, then by day and id.

    Args:
        database: of the run.
        categories: which.
        most: of each; None: all.
    """
    for category in categories:
        question = """SELECT pid, number, day, category, stage, reason, detail, shop_total, connectif_total,
            status, (SELECT name FROM accounts a WHERE a.account = f.account) FROM findings f
            WHERE category = ? ORDER BY day, pid, account LIMIT ?"""
        for row in database.rows(question, (category.value, -1 if most is None else most)):
            verdict = OrderVerdict(Category(row[3]), OrderStage(row[4]), row[5], row[6])
            *cells, account = row
            yield Finding._make((*cells, *in_words(verdict), account or ""))
