"""One request from the first look to its proof; every step may be repeated, and is after a kill."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.erase.archived import remove_archived
from pipeline.erase.found import Found
from pipeline.erase.local_files import clean
from pipeline.erase.person import Person, named_in
from pipeline.erase.requests import Request, Requests, now_ms
from pipeline.erase.scan import PersonScan
from pipeline.erase.workers import NotConfirmed, StateRemoval, partitions_with_rows, rewrite_files
from pipeline.errors import PipelineError
from pipeline.kafka import removal
from pipeline.kafka.erase_requests import Asked, Progress, RequestStatus, Wanted
from pipeline.kafka.exclusive import AtWork, Exclusive
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.reader import RangeReader, Stopped
from pipeline.kafka.removal import RemovalProgress
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DELIVER_APP, ERASE_REQUESTS, SYNC_APP, TRANSLATE_APP, changelog, full_name
from pipeline.progress import scanning
from pipeline.shops.registry import PLATFORMS

log = logging.getLogger(__name__)

#: Seconds for which Connectif's answers are waited for, and in which Kafka's logs are to be rewritten.
CONFIRM_WITHIN, REMOVE_WITHIN = 900.0, 6 * 3_600.0
#: The group of which whoever erases is the only member.
GROUP = "pipeline-erase"
#: Seconds between two looks whether another process has ended.
LOOK = 1.0
#: The tables of each stage that have rows of people.
_TABLES = {
    TRANSLATE_APP: ("entities",),
    DELIVER_APP: ("pending", "delivered"),
    SYNC_APP: ("requests", "consents"),
}
#: What an erasure cannot reach, ever; said with each.
NEVER = (
    "copies made of disks or of Kafka's logs: backups, snapshots",
    "core files outside the data directory, and data directories of other machines' gateways",
    "purchases in Connectif: they stay, without the contact",
)


class RequestGone(PipelineError):  # noqa: N818 - a fact
    """The shop's webhook is not there any more: what it asked for was done, or its days are over."""


class Erasure:
    """Works on requests. Blocks.

    Args:
        settings: the program's.
        requests: where they are kept.
        console: is told how far it is.
        confirm_within: seconds for which Connectif's answers are waited for.
        lose_earlier: whether of messages of version 0.2 and before, several of which have one key, only the
            newest of each key may be kept, on a cluster that can do no better.
        stop: called several times a second; True ends it, and it goes on when it is called again.
    """

    def __init__(
        self,
        settings: Settings,
        requests: Requests,
        console: Console,
        *,
        confirm_within: float = CONFIRM_WITHIN,
        lose_earlier: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._requests = requests
        self._console = console
        self._confirm_within = confirm_within
        self._lose_earlier = lose_earlier
        self._stop = stop
        #: What was found just now, of requests that are not worked on yet.
        self._looked: dict[str, Found] = {}

    def look(self, asked: Asked) -> Found:
        """What is kept of the person; nothing is changed.

        Raises:
            RequestGone: see there.
        """
        with event_reader(self._settings) as reader:
            scan = PersonScan(self._settings, reader, self._console)
            found = scan.find(person_of(self._settings, scan, asked))
            if asked.source is not None and (webhook := scan.webhook(asked.source)) is not None:
                found.add(asked.source.topic, asked.source.partition, webhook[0])
        self._looked[asked.id] = found
        return found

    def work(self, request: Request) -> Progress:
        """Erase the person of a request; what stands in the way is written down, and raised.

        Raises:
            PipelineError: it is not done; it can be tried again.
            Stopped: `stop` said so.
        """
        self._requests.advance(request, tries=request.progress.tries + 1)
        try:
            self._work(request)
        except RequestGone as gone:
            self._requests.advance(request, status=RequestStatus.DONE, done_ms=now_ms(), why=gone.message)
        except Stopped:
            raise
        except PipelineError as error:
            self._requests.advance(request, why=error.message)
            raise
        return request.progress

    def _work(self, request: Request) -> None:
        found = request.what_was_found()
        if found is None and request.progress.status is RequestStatus.WORKING:
            if request.found:
                raise PipelineError("what was found cannot be read", hint="is there a newer release at work?")
            # Killed in the last step: its tombstones are written.
            self._logs(request, {}, "finishing in Kafka's logs")
            self._done(request)
            return
        if found is None:
            found = self._looked.pop(request.asked.id, None) or self.look(request.asked)
            self._requests.keep_found(request, found)
            self._requests.advance(request, status=RequestStatus.WORKING, removed=found.counts(), why="")
        self._remove(request, found)

    def _remove(self, request: Request, found: Found) -> None:
        settings, store = self._settings, request.asked.store
        asked = request.asked
        state = StateRemoval(
            settings, asked.id, store, asked.asked_ms, found, self._say, self._confirm_within, self._stop
        )
        counted = state.run()
        with RangeReader(client_config(settings)) as reader:
            # What was written on the way: records and receipts of the erasure itself, among others.
            PersonScan(settings, reader, self._console).follow(store, found)
        self._requests.keep_found(request, found)
        workers, missed = rewrite_files(settings, partitions_with_rows(settings, store, found), self._say)
        keys: dict[TopicPartition, set[bytes]] = found.keys(settings)
        for place in _changelogs(settings, partitions_with_rows(settings, store, found)):
            keys.setdefault(place, set())
        self._logs(request, keys, "Kafka rewrites its logs")
        archived = remove_archived(settings, keys, self._console)
        needles = Person(store, asked=found.addresses).address_needles()
        files = clean(settings.data_dir, needles) if needles else None
        with event_reader(settings) as reader:
            named = PersonScan(settings, reader, self._console).still_named(store, found.addresses)
        removed = found.counts() | counted
        if archived:
            removed["archived events"] = archived
        if files is not None:
            removed["files and lines of logs"] = files.removed
        beside = files.not_reached if files is not None else []
        self._requests.advance(
            request,
            removed=removed,
            checked=named,
            workers=tuple(workers),
            not_reached=(*missed, *beside, *_said_of(settings, found), *NEVER),
        )
        if missed:
            raise NotConfirmed(
                f"not reached: {'; '.join(missed)}", hint="see to it; `pipeline erase run` tries it again"
            )
        self._requests.name_nobody(request)
        own = {self._requests.place: set(request.found)}
        self._logs(request, own, "Kafka rewrites its list of requests")
        self._done(request)

    def _done(self, request: Request) -> None:
        request.found.clear()
        self._requests.advance(request, status=RequestStatus.DONE, done_ms=now_ms(), why="")

    def _logs(self, request: Request, keys: dict[TopicPartition, set[bytes]], title: str) -> None:
        """Remove messages from Kafka's logs; what others lose by that is written down."""
        with scanning(title, self._console) as tell:

            def told(far: RemovalProgress) -> None:
                tell(far.removed + far.done, 2 * far.partitions)

            done = removal.remove(
                self._settings,
                keys,
                within=REMOVE_WITHIN,
                lose_earlier=self._lose_earlier,
                progress=told,
                stop=self._stop,
            )
        if done.lost_earlier:
            lost = tuple(sorted({*request.progress.lost_earlier, *done.lost_earlier}))
            log.warning(
                "request %s: of messages of version 0.2 and before only the newest of each key stays in %s",
                request.asked.id,
                ", ".join(done.lost_earlier),
                extra={"event": "erase.lost_earlier"},
            )
            self._requests.advance(request, lost_earlier=lost)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


def person_of(settings: Settings, scan: PersonScan, asked: Asked) -> Person:
    """Who is meant by a request.

    Raises:
        RequestGone: the webhook that says so is gone.
        PipelineError: it names nobody.
    """
    if asked.wanted is Wanted.SHOP:
        return Person(asked.store, everybody=True)
    if asked.source is None:
        named = Person(asked.store, asked={asked.email} if asked.email else set())
        if asked.customer:
            named.customers.add(asked.customer)
        return named
    webhook = scan.webhook(asked.source)
    if webhook is None:
        raise RequestGone("the shop's webhook is gone: it was done before, or its retention is over")
    said = named_in(webhook[1], PLATFORMS[settings.stores[asked.store].platform].person)
    person = Person(asked.store)
    if said is not None:
        person.asked |= said.addresses
        person.orders |= said.orders
        if said.customer:
            person.customers.add(said.customer)
    if not (person.asked or person.customers):
        raise PipelineError(
            "the shop's webhook names nobody",
            hint="ask the shop who is meant, erase them by --email, and `pipeline erase drop` this one",
        )
    return person


def _changelogs(settings: Settings, partitions: dict[str, set[int]]) -> Iterator[TopicPartition]:
    """The changelogs' partitions that had rows of the person: the workers have deleted these."""
    for app_id, numbers in partitions.items():
        for table in _TABLES[app_id]:
            topic = full_name(settings, changelog(app_id, table))
            yield from (TopicPartition(topic, number) for number in numbers)


def _said_of(settings: Settings, found: Found) -> Iterator[str]:
    """What else holds the person, and is not of this request."""
    if found.others:
        names = ", ".join(sorted(found.others))
        yield (
            f"the stores {names} feed the same account and name the address: their events stay, and make the "
            "contact again when they speak; ask for each of them, too"
        )
    if found.mentions:
        yield f"{found.mentions} events of other people mention the address: they are theirs, and stay"
    if found.without_key:
        yield f"{found.without_key} dead letters without a key, until their retention ends"
    gone = {name.partition("|")[0] for name in found.contacts} - settings.accounts.keys()
    if gone:
        yield f"the accounts {', '.join(sorted(gone))}, which are not in the settings any more"


@contextlib.contextmanager
def alone(settings: Settings, who: str, console: Console | None = None) -> Iterator[None]:
    """One erasure at a time, over all machines; with a console, its turn is waited for.

    Args:
        settings: the program's.
        who: is at it, for others to see.
        console: is told that another one is waited for; None: it is refused.

    Raises:
        AtWork: another process is at it.
        BrokerError: Kafka does not answer.
    """
    group, topic = full_name(settings, GROUP), full_name(settings, ERASE_REQUESTS)
    told = False
    while True:
        turn = Exclusive(client_config(settings), group, topic, who=who, what="erasure")
        try:
            turn.__enter__()
            break
        except AtWork as busy:
            if console is None:
                raise
            if not told:
                console.print(f"waiting: {busy.message}", markup=False, highlight=False, soft_wrap=True)
            told = True
            time.sleep(LOOK)
    try:
        yield
    finally:
        turn.__exit__(None, None, None)
