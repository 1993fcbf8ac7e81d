"""The deliver stage against the sandbox: shops, a worker that is killed, and what Connectif then holds."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
from pydantic import TypeAdapter

from pipeline.config import Settings, parse
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.receipt_writer import ReceiptWriter
from pipeline.deliver.partition.tables import Tables
from pipeline.deliver.partition.two_phase_processor import PartitionBatch, TwoPhaseProcessor
from pipeline.deliver.send.account_manager import AccountManager, ManagerDependencies
from pipeline.records import Outcome, Receipt, Record, RecordKind
from pipeline.sandbox.connectif.http.app import ConnectifSandbox
from pipeline.sandbox.connectif.http.ledger import LedgerQuery, account_ledger
from pipeline.sandbox.connectif.http.transport import SandboxTransport
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation.consent_log import ConsentLog
from tests.simulation.log import Cluster, CrashableCommitter, MemoryStep, MemoryTable
from tests.simulation.virtual import LoopClock, wall

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
ROUND = 50


def settings_for(tmp: Path, accounts: Iterable[str] = ("acme",), **deliver: Any) -> Settings:
    """Accounts on a sandbox, with short import polls."""
    tree: dict[str, Any] = {
        "data_dir": str(tmp),
        "kafka": {"account_partitions": 1},
        "deliver": {"import_poll": 5.0, "import_min_rows": 10, **deliver},
        "accounts": {
            name: {
                "api_key": f"{name}:secret",
                "base_url": "http://localhost",
                "authorised_domains": ["https://shop.example"],
            }
            for name in accounts
        },
    }
    return parse(tree, {})


class Life:
    """One process of the deliver worker, from its start to its end."""

    def __init__(self, environment: Environment, worker: str) -> None:
        self._environment = environment
        cluster = environment.cluster
        self._committer = CrashableCommitter(cluster, environment.chance)
        names = ("pending", "delivered", "tally")
        self.tables = Tables(*(MemoryTable(name, cluster) for name in names))
        self._receipt_writer = ReceiptWriter(environment.settings, wall)
        self.partition_state = PartitionState(0, self.tables, self._receipt_writer)
        self.errors: list[BaseException] = []
        self.account_manager = AccountManager[MemoryStep](
            environment.settings,
            ManagerDependencies(
                worker=worker,
                directory=Path(environment.settings.data_dir) / worker,
                committer=self._committer,
                receipt_writer=self._receipt_writer,
                fatal=self.errors.append,
                heard=lambda *_: None,
                wall=wall,
                random=environment.chance.random,
                transport=environment.transport,
            ),
        )
        self._processor = TwoPhaseProcessor[MemoryStep](self._committer, self.account_manager.settled)
        self._read: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load, catch up with the receipts, and deliver."""
        await self.partition_state.load()
        behind = len(self._environment.cluster.topic(self._receipt_writer.receipts))
        self._spawn(self._committer.run())
        for kind in RecordKind:
            self._spawn(self._records(kind))
        self._spawn(self._receipts())
        while self._read.get(self._receipt_writer.receipts, 0) < behind:
            await asyncio.sleep(0.05)
        await self.account_manager.open(self.partition_state)
        await self.account_manager.run()

    async def kill(self) -> None:
        """As kill -9 does: nothing is finished, and of what was on its way something may have arrived."""
        for _, account in self.account_manager.accounts():
            account.admission._call_journal = _Silent()
        running = [account.task for account in self.account_manager._accounts.values() if account.task]
        self._committer.crash()
        for task in [*self._tasks, *running]:
            task.cancel()
        await asyncio.gather(*self._tasks, *running, return_exceptions=True)
        for put_away in self.account_manager._accounts.values():
            put_away.journal.close()

    async def stop(self, *, moved: bool = False) -> None:
        """A clean end, or the partition going to another worker."""
        await self.account_manager.pause()
        await asyncio.sleep(0.1)
        await self.account_manager.close([0], moved=moved)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(self._guard(work)))

    async def _guard(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the test looks at them
            self.errors.append(error)

    async def _records(self, kind: RecordKind) -> None:
        while True:
            values = await self._next(kind.topic)
            records = [(offset, RECORD.validate_json(value)) for offset, value in values]
            await self._processor.take(
                kind, [PartitionBatch(self.partition_state, records, self._done(kind.topic, values))]
            )
            self.account_manager.arrived(list({record.account for _, record in records}))
            self._read[kind.topic] = values[-1][0] + 1

    async def _receipts(self) -> None:
        topic = self._receipt_writer.receipts
        while True:
            values = await self._next(topic)
            receipts = [(offset, Receipt.model_validate_json(value)) for offset, value in values]
            await self._processor.settle(
                [PartitionBatch(self.partition_state, receipts, self._done(topic, values))]
            )
            self._read[topic] = values[-1][0] + 1

    async def _next(self, topic: str) -> list[tuple[int, bytes]]:
        """The next round of a topic."""
        log = self._environment.cluster.topic(topic)
        place = f"at:{topic}"
        start = self._read.setdefault(place, self._environment.cluster.committed.get(topic, 0))
        self._read.setdefault(topic, start)
        while len(log) <= start:
            await self._environment.cluster.arrived.wait(math.inf)
        values = log[start : start + ROUND]
        self._read[place] = start + len(values)
        return [(start + number, value or b"") for number, (_, value, _) in enumerate(values)]

    def _done(self, topic: str, values: list[tuple[int, bytes]]) -> Callable[[MemoryStep], None]:
        return lambda step: step.done(topic, values[-1][0])


class _Network(httpx.AsyncBaseTransport):
    """A network to the sandbox with a delay in both directions."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, chance: random.Random, step: Callable[[], None]
    ) -> None:
        self._inner = inner
        self._chance = chance
        self._step = step

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._step()
        await asyncio.sleep(self._chance.uniform(0.01, 0.1))
        response = await self._inner.handle_async_request(request)
        self._step()
        await asyncio.sleep(self._chance.uniform(0.01, 0.1))
        return response


class _Silent:
    def started(self, _wall: float) -> int:
        return 0

    def answered(self, _call: int, _wall: float) -> None:
        """Nothing: the process is dead."""


class Environment:
    """Shops, Kafka and Connectif.

    Args:
        settings: accounts and the stage's.
        seed: of all chance in it.
        switches: of the sandbox.
    """

    def __init__(self, settings: Settings, seed: int = 0, switches: ApiBehaviour | None = None) -> None:
        self.settings = settings
        self.chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
        self.cluster = Cluster()
        self._receipts: list[Receipt] = []
        self.sandbox = ConnectifSandbox(settings, clock=LoopClock(), behaviour=switches, seed=seed)
        self.transport: httpx.AsyncBaseTransport = _Network(
            SandboxTransport(self.sandbox), self.chance, self.cluster.step
        )
        self.said: list[Record] = []
        self.consent_logs = {name: ConsentLog(account) for name, account in self.sandbox.accounts.items()}

    def withdraw(self, account: str, email: str) -> None:
        """A person unsubscribes by a mail of Connectif's; no shop hears of it."""
        self.consent_logs[account].withdraw(email)

    def consent_log(self, account: str = "acme") -> ConsentLog:
        """What was heard of consent."""
        return self.consent_logs[account]

    def fresh(self) -> float:
        """Seconds within which `subscribed` is sent without a question."""
        return self.settings.deliver.consent_fresh

    def say(self, record: Record) -> None:
        """A record comes out of the translate stage."""
        self.said.append(record)
        key = f"{record.account}|{record.kind}|{record.id}".encode()
        self.cluster.apply(record.kind.topic, (key, record.model_dump_json().encode(), ()))

    async def settle(self, life: Life, *, within: float) -> None:
        """Wait until every record has its receipt; fails after `within` virtual seconds."""
        end = asyncio.get_running_loop().time() + within
        while not self.finished(life):
            if life.errors:
                raise life.errors[0]
            assert asyncio.get_running_loop().time() < end, f"still pending: {life.partition_state.versions}"
            self.balanced(life)
            await asyncio.sleep(0.5)

    def finished(self, life: Life) -> bool:
        """Whether all that was said has been read and has ended."""
        read = all(
            life._read.get(kind.topic, 0) >= len(self.cluster.topic(kind.topic)) for kind in RecordKind
        )
        return read and not +life.partition_state.versions and not self.cluster.table("pending")

    # For the checks.

    def receipts(self) -> list[Receipt]:
        """Every receipt, repeats included."""
        topic = self.cluster.topic(ReceiptWriter(self.settings, wall).receipts)
        unread = topic[len(self._receipts) :]  # each is parsed once, however often they are asked for
        self._receipts += [Receipt.model_validate_json(value or b"") for _, value, _ in unread]
        return self._receipts.copy()

    def outcomes(self) -> Counter[tuple[str, str]]:
        """(kind, outcome) -> versions, each once."""
        seen = {(r.kind, r.record.offset): r.outcome for r in reversed(self.receipts())}
        return Counter((kind.value, outcome.value) for (kind, _), outcome in seen.items())

    def holds(self, kind: str, account: str = "acme") -> dict[str, dict[str, Any]]:
        """What Connectif holds of a kind, by key."""
        shown = account_ledger(self.sandbox.accounts[account], LedgerQuery(kind=kind, limit=1_000_000))
        return {item["key"]: item["body"] for item in shown[kind]["items"] if not item["deleted"]}

    def made(self, kind: str, account: str = "acme") -> dict[str, int]:
        """How often each element was created."""
        shown = account_ledger(self.sandbox.accounts[account], LedgerQuery(kind=kind, limit=1_000_000))
        return {item["key"]: item["creates"] for item in shown[kind]["items"]}

    def limit_kept(self, account: str = "acme") -> None:
        """No call was refused for the limit, and no window of any kind had more calls than it."""
        held = self.sandbox.accounts[account]
        assert held.log.refused == 0, f"{held.log.refused} calls over the limit"
        assert held.log.most_in_any_window <= held.limit

    def balanced(self, life: Life) -> None:
        """The second identity, at any moment."""
        for account, store, tally in life.partition_state.tallies():
            for kind, counts in tally.counts.items():
                ended = sum(counts.get(outcome.value, 0) for outcome in Outcome)
                pending = life.partition_state.versions[account, store, RecordKind(kind)]
                assert counts["accepted"] == ended + pending, (kind, counts, pending)

    def accounted(self, life: Life) -> None:
        """The tally is exact: what came in, and how it ended, each version once."""
        counted: Counter[tuple[str, str]] = Counter()
        for _, _, tally in life.partition_state.tallies():
            for kind, what, count in tally.rows():
                counted[kind, what] += count
        said = Counter(record.kind.value for record in self.said)
        ends = {outcome.value for outcome in Outcome}
        for kind, count in said.items():
            assert counted[kind, "accepted"] == count
            assert sum(counted[kind, end] for end in ends) == count, counted
