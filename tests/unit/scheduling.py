"""An account's scheduler on nothing but its index, with a limit and answers as the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config_accounts import CouponSetSettings
from pipeline.config_stages import DeliverSettings
from pipeline.deliver.schedule.actions import Action, Import, Send
from pipeline.deliver.schedule.import_jobs import ImportJob
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.schedule.slots import Slots
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
WALL = 1_000_000.0


class IndexedAccount:
    """An account with nothing but its index.

    Attributes:
        needs: the contact and products of each purchase.
        known: what Connectif was sent.
        now: the time, in seconds from `WALL`.
    """

    def __init__(
        self, slots: Slots, sets: Mapping[str, CouponSetSettings] | None = None, **settings: float
    ) -> None:
        self.settings = DeliverSettings.model_validate(settings)
        self.index = PendingIndex()
        self.needs: dict[str, Sequence[Key]] = {}
        self.known: set[Key] = set()
        self.now = 0.0
        self.scheduler = Scheduler(
            self.settings,
            self.index,
            slots,
            needs=lambda one: self.needs.get(one, ()),
            was_sent=lambda key: key in self.known,
            sets=sets or {},
        )

    def next(self, now: float | None = None) -> Action:
        """What the scheduler would do at `now`."""
        now = self.now if now is None else now
        return self.scheduler.next(now, WALL + now)

    def settle(self, key: Key) -> None:
        """The record was sent, and its receipt is there."""
        self.index[key.kind].receipt_written(key.id)
        self.index[key.kind].settled(key.id, None, certain=True)
        self.known.add(key)
        self.scheduler.settled(key)

    def finish(self, job: ImportJob) -> None:
        """The import is over, and all its rows are there."""
        self.scheduler.imports.ended(job)
        for record_id in job.batch.ids:
            self.settle(Key(job.kind, record_id))


class GivenSlots:
    """A limit whose slots are as the test says."""

    window = 60.0
    spacing = 0.6

    def __init__(self) -> None:
        self.now_free = 100
        self.back: list[float] = []

    def free(self, _now: float) -> int:
        return self.now_free

    def returning(self, _now: float) -> list[float]:
        return self.back


class ScheduledAccount(IndexedAccount):
    """One whose slots are given; everything settles when the test says so."""

    def __init__(self, *, sets: Mapping[str, CouponSetSettings] | None = None, **settings: float) -> None:
        self.slots = GivenSlots()
        super().__init__(self.slots, sets, **settings)

    def add(self, kind: RecordKind, *ids: str, lane: Lane = Lane.LIVE, accepted: int = int(WALL)) -> None:
        for record_id in ids:
            self.index[kind].add(record_id, lane, accepted)

    def many(self, kind: RecordKind, count: int, lane: Lane = Lane.LIVE, name: str = "x") -> None:
        self.add(kind, *(f"{name}{number}" for number in range(count)), lane=lane)

    def send(self, now: float = 0.0) -> str:
        """The id of the record to be sent next; it settles at once."""
        action = self.next(now)
        assert isinstance(action, Send), action
        self.settle(action.key)
        return action.key.id

    def sent(self, count: int, now: float = 0.0) -> list[str]:
        return [self.send(now) for _ in range(count)]

    def start_import(self, now: float = 0.0) -> Import:
        """The import to be made next; Connectif takes it."""
        action = self.next(now)
        assert isinstance(action, Import), action
        number = len(list(self.scheduler.imports.under_way()))
        self.scheduler.imports.started(action.kind, f"i{number}", action.batch, "_email", now)
        return action
