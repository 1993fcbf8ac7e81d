"""The demo's end: what is checked, whether it agrees, and all of it as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.demo.api_side import Checked, Left, Synced, is_done
from pipeline.demo.comparison import LedgerDifference
from pipeline.demo.custom_shop import Newsletter
from pipeline.demo.freshness import Freshness
from pipeline.demo.reconciling import StoreReconciled
from pipeline.demo.sandbox import Budget
from pipeline.demo.sender import SendResults
from pipeline.demo.totals import EVENT_OUTCOMES, RECORD_OUTCOMES, PipelineTotals
from pipeline.events import Lane
from pipeline.records import RecordKind

#: Purchases of each lane that make their ages worth comparing.
ENOUGH = 50


class Check(NamedTuple):
    """One statement, and what speaks against it."""

    says: str
    against: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing does."""
        return not self.against


@dataclass(frozen=True, slots=True)
class RunResult:
    """All that is known when a run is over.

    Attributes:
        seed: of its traffic.
        speed: what the sandbox's minute was divided by.
        events: webhooks posted.
        seconds: name of a part -> how long it took.
        posted: what the gateway answered.
        replayed: (shop, kind) -> events of the history that were put into Kafka.
        rejected: (shop, kind, reason) -> webhooks that cannot be translated.
        account: the workers' account.
        budgets: account -> how its calls were used.
        differences: between the sandbox's accounts and what must be there.
        held: account -> what it holds, counted by kind.
        freshness: of what was delivered, by lane and kind.
        asked: shops whose webhooks only name what happened, so that what was fetched comes on top.
        reconciled: each shop's list of orders beside Connectif; none where the run ended early.
        newsletter: who signed up in a shop, and who left in Connectif.
        synced: the full sync of a store.
        left: what became of who left; None where the run ended early.
        checked: the check of a store; likewise.
        killed: processes killed on purpose, in order.
        complaint: why the run ended early; empty where it did not.
        directory: where settings, logs and data are.
    """

    seed: int
    speed: float
    events: int
    seconds: Mapping[str, float]
    posted: SendResults
    replayed: Counter[tuple[str, str]]
    rejected: Counter[tuple[str, str, str]]
    account: PipelineTotals
    budgets: Mapping[str, Budget]
    differences: tuple[LedgerDifference, ...]
    held: Mapping[str, Mapping[str, int]]
    freshness: tuple[Freshness, ...]
    killed: tuple[str, ...]
    complaint: str
    directory: Path
    reconciled: tuple[StoreReconciled, ...] = ()
    asked: frozenset[str] = frozenset()
    newsletter: Newsletter | None = None
    synced: Synced | None = None
    left: Left | None = None
    checked: Checked | None = None

    @property
    def agrees(self) -> bool:
        """Whether every check does."""
        return all(check.agrees for check in self.checks)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must hold, in the order of an event's path."""
        held = sum(counts.get("purchases", 0) for counts in self.held.values())
        return (
            Check("every record was settled in time", (self.complaint,) if self.complaint else ()),
            Check("every webhook was answered as it should be", tuple(self.posted.surprises)),
            Check(
                "events received = accepted + duplicate + stale + ignored + rejected, and as many as the "
                "gateway said it kept, were replayed, were fetched and were read by the sync",
                tuple(self._received()),
            ),
            Check("rejected are those that cannot be translated, and no others", tuple(self._rejected())),
            Check(
                "records accepted = delivered + unchanged + superseded + pending + dead",
                tuple(self.account.unbalanced(repeats=bool(self.killed))),
            ),
            Check("no record is pending or dead", tuple(self._left())),
            Check(
                f"Connectif holds every sold order once ({held}), with its newest data, its contact and its "
                "products, and nothing else",
                tuple(f"{one.account}: {one.what}: {one.found}, not {one.must}" for one in self.differences),
            ),
            Check("the budget was never exceeded", tuple(self._overspent())),
            *self._lanes(),
            *self._by_reconcile(),
            *self._by_api(),
        )

    def _received(self) -> Iterator[str]:
        """What Kafka was given against what translate counted; unanswered attempts may have been kept."""
        given = self.posted.kept + self.replayed
        for one in (self.synced, self.left):
            given += Counter() if one is None else one.events
        for row in sorted(given.keys() | self.account.events.keys()):
            counted = self.account.events.get(row, Counter()).total()
            most = 2 * given[row] if row[0] in self.asked else given[row]
            if counted < given[row] or (counted > most and not self._repeats):
                kept, replayed = self.posted.kept[row], self.replayed[row]
                yield (
                    f"{' '.join(row)}: the gateway kept {kept} and {replayed} were replayed, "
                    f"translate counted {counted}"
                )

    def _rejected(self) -> Iterator[str]:
        found = Counter(
            {
                (*row, reason): count
                for row, reasons in self.account.rejected.items()
                for reason, count in reasons.items()
            }
        )
        for key in sorted(found.keys() | self.rejected.keys()):
            must, is_ = self.rejected[key], found[key]
            if is_ < must or (is_ > must and not (self._repeats and must)):
                yield f"{' '.join(key)}: {is_}, not {must}"

    def _left(self) -> Iterator[str]:
        for row, counts in sorted(self.account.records.items()):
            for outcome in ("pending", "dead"):
                if counts[outcome]:
                    yield f"{' '.join(row)}: {counts[outcome]} {outcome}"

    def _overspent(self) -> Iterator[str]:
        for name, budget in self.budgets.items():
            if budget.refused:
                yield f"{name}: {budget.refused} calls were refused with 429"
            if budget.most > budget.limit:
                yield f"{name}: {budget.most} calls in a minute, {budget.limit} are allowed"

    def _lanes(self) -> Iterator[Check]:
        """Live orders beside a backfill: checked if there were enough of both, and no kill held up either."""
        purchases = {row.lane: row for row in self.freshness if row.kind == RecordKind.PURCHASE}
        live, backfill = purchases.get(Lane.LIVE), purchases.get(Lane.BACKFILL)
        if self.killed or not live or not backfill or min(live.records, backfill.records) < ENOUGH:
            return
        late = f"half of them within {live.p50:.2f} s, half of the backfill's within {backfill.p50:.2f} s"
        yield Check(
            "live purchases did not wait for the backfill: half of them came sooner than half of its",
            () if live.p50 < backfill.p50 else (late,),
        )

    def _by_reconcile(self) -> Iterator[Check]:
        if self.reconciled:
            orders = sum(one.orders for one in self.reconciled)
            yield Check(
                f"reconcile: of the {orders:,} orders in the shops' own lists, Connectif's own export has "
                "each that is sold, at its total, and no other",
                tuple(reason for one in self.reconciled for reason in one.against),
            )

    def _by_api(self) -> Iterator[Check]:
        """The full sync, the newsletter both ways, and the check of a store."""
        if self.synced is not None:
            read = ", ".join(f"{count:,} {kind}s" for kind, count in self.synced.read.items() if count)
            why = f"its run is {self.synced.status or 'not to be seen'}"
            yield Check(
                f"beside the webhooks {self.synced.store} was read from its API for the first time: {read}",
                () if is_done(self.synced) and self.synced.read["order"] else (why,),
            )
        if self.left is not None and self.newsletter is not None:
            yield Check(
                f"{self.newsletter.arrives_email} signed up in the shop and is subscribed in Connectif; "
                f"{self.left.email} left in Connectif, and the shop held it "
                f"{'' if self.left.seconds is None else f'{self.left.seconds:.1f} s '}later",
                tuple(self._newsletter(self.left, self.newsletter)),
            )
        if self.checked is not None:
            steps = ", ".join(f"{count} {result}" for result, count in sorted(self.checked.steps.items()))
            yield Check(
                f"check of {self.checked.store}: no fault ({steps}); its test sale went through, and is gone",
                self.checked.against,
            )

    def _newsletter(self, left: Left, newsletter: Newsletter) -> Iterator[str]:
        """What Connectif holds of both is among the differences."""
        if not left.answered:
            yield "Connectif's callback was not answered with a 2xx"
        if left.seconds is None:
            yield f"{left.email} is not unsubscribed at the shop"
        for email in left.written:
            yield f"the shop was told something of {email}"
        about = {f"contact {email}" for email in (newsletter.arrives_email, newsletter.leaves)}
        for one in self.differences:
            if one.what.partition(":")[0] in about:
                yield f"{one.what}: {one.found}, not {one.must}"

    @property
    def _repeats(self) -> bool:
        """Whether Kafka may hold a webhook more often than the gateway said that it kept it.

        One that Kafka was slow to confirm is in the spool, and in the end twice in Kafka.
        """
        return bool(self.posted.unanswered or self.account.answers["spooled"] or self.killed)

    def as_json(self) -> dict[str, Any]:
        """The same for scripts."""
        return {
            "agrees": self.agrees,
            "seed": self.seed,
            "speed": self.speed,
            "events": self.events,
            "replayed": self.replayed.total(),
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
            "answers": {str(status): count for status, count in sorted(self.posted.answers.items())},
            "unanswered_attempts": self.posted.unanswered,
            "killed": list(self.killed),
            "stores": [
                {"store": store, "kind": kind, "received": counts.total()}
                | {outcome: counts[outcome] for outcome in EVENT_OUTCOMES}
                for (store, kind), counts in sorted(self.account.events.items())
            ],
            "records": [
                {"account": account, "store": store, "kind": kind, "told_before": told["unchanged"]}
                | {outcome: counts[outcome] for outcome in ("accepted", *RECORD_OUTCOMES)}
                for account, store, kind, told, counts in self.rows()
            ],
            "accounts": {
                name: asdict(budget) | {"calls_per_order": budget.calls_per_order}
                for name, budget in self.budgets.items()
            },
            "freshness": [row._asdict() for row in self.freshness],
            "reconciled": [
                {
                    "store": one.store,
                    "orders": one.orders,
                    "there": one.there,
                    "not_due": one.not_due,
                    **one.wrong,
                }
                for one in self.reconciled
            ],
            "synced": None if self.synced is None else self.synced._asdict(),
            "left": None if self.left is None else self.left._asdict(),
            "checked": None if self.checked is None else self.checked._asdict(),
            "checks": [
                {"says": one.says, "agrees": one.agrees, "against": list(one.against)} for one in self.checks
            ],
            "differences": [one._asdict() for one in self.differences],
            "directory": str(self.directory),
        }

    def rows(self) -> Iterator[tuple[str, str, str, Counter[str], Counter[str]]]:
        """(account, store, kind, counts of translate, counts of deliver) of every sort of record."""
        account = self.account
        for row in sorted(account.translated.keys() | account.records.keys()):
            yield *row, account.translated.get(row, Counter()), account.records.get(row, Counter())
