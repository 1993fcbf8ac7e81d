"""What is sent for a letter that is sent again, or why nothing can be: rules without a client."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.config import Settings
from pipeline.dead.letter import REDRIVE_LETTER, Letter, LetterId
from pipeline.dead.selection import LetterFilter, is_wanted
from pipeline.dead.state import LetterState, LetterStatus
from pipeline.deliver.partition.reading import Unreadable, read_record
from pipeline.events import Kind, Lane, RawEvent
from pipeline.kafka import topics
from pipeline.kafka.fetches import FetchRequest, place_of
from pipeline.kafka.keys import entity_key, unique_key
from pipeline.kafka.messages import Headers
from pipeline.kafka.replays import REDRIVE_PREFIX, ReplayMark, ReplayMode, event_headers, replay_headers
from pipeline.records import PurchaseRecord, RecordKind, partition_of, record_key
from pipeline.shops.callbacks import CALLBACK

_TOPICS = {kind.value: kind.topic for kind in Kind}
_LANE = "pipeline-lane"


class Sending(NamedTuple):
    """A message; `topic` is without the prefix, `partition` None: what the key is about decides."""

    topic: str
    partition: int | None
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Refusal(NamedTuple):
    """Why a letter is not sent again: a word of a bounded set, and a sentence."""

    why: str
    sentence: str


NO_CONTENT = Refusal(
    "no_content", "the message was too large to be copied: it lies at its place, and is replayed from there"
)
RECEIPT = Refusal("receipt", "it is a receipt, not a record: there is nothing to be sent")
UNKNOWN_STAGE = Refusal("unknown_stage", "it says of no stage of ours that it gave it up")
NO_EVENT = Refusal("not_an_event", "it is no event of a gateway's: nothing could be made of it")
UNKNOWN_ACCOUNT = Refusal("unknown_account", "its account is not in the settings: put it back, then redrive")
NOT_A_RECORD = Refusal("not_a_record", "it is no record of this program's: nothing could be made of it")

_ONCE_MORE = "by its id, or --state {state}, --again sends it nevertheless"
DROPPED = Refusal("dropped", f"it was dropped; {_ONCE_MORE.format(state='dropped')}")
REDRIVEN = Refusal("redriven", f"it was sent again before; {_ONCE_MORE.format(state='redriven')}")
CAME_BACK = Refusal(
    "came_back", "it was sent again before and came back for the same reason; --again sends it nevertheless"
)


@dataclass(frozen=True, slots=True)
class ResendTarget:
    """Where letters are sent again to.

    Attributes:
        accounts: of the settings.
        partitions: of `connectif.*`.
        max_bytes: the largest message.
        run_workflows: whether purchases of events start workflows; those of records do if they had not yet.
        other_prefix: the prefix that the letters lie under, where it is not that of the settings; else None.
    """

    accounts: Collection[str]
    partitions: int
    max_bytes: int
    run_workflows: bool = False
    other_prefix: str | None = None

    @classmethod
    def of(
        cls, settings: Settings, *, run_workflows: bool = False, other_prefix: str | None = None
    ) -> ResendTarget:
        """As the settings say."""
        kafka, accounts = settings.kafka, frozenset(settings.accounts)
        return cls(accounts, kafka.account_partitions, kafka.max_message_bytes, run_workflows, other_prefix)

    def name(self, letter: LetterId) -> str:
        """What a message says that it comes from."""
        return str(letter) if self.other_prefix is None else f"{self.other_prefix}~{letter}"


def held_back(
    status: LetterStatus, *, again: bool, wanted: LetterFilter = LetterFilter.OPEN
) -> Refusal | None:
    """Why a letter that could be sent is not, for what was done about it before.

    Args:
        status: how it stands.
        again: whether one that was dealt with, or came back, is sent nevertheless,
        wanted: where it is in this state: an open letter says what became of the one it came from.
    """
    if again and is_wanted(wanted, status):
        return None
    if status.state is LetterState.REDRIVEN:
        return REDRIVEN
    if status.state is LetterState.DROPPED:
        return DROPPED
    return CAME_BACK if status.came_back else None


def sending(
    target: ResendTarget, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """What is sent again for a letter, or why nothing can be."""
    if letter.stage == "deliver":
        return _record(target, letter, value)
    if letter.stage == "translate":
        return _event(target, letter, key, value, headers)
    if letter.stage == "sync":
        return _notification(target, letter, key, value, headers)
    return UNKNOWN_STAGE


def _record(target: ResendTarget, letter: Letter, value: bytes | None) -> Sending | Refusal:
    """A record as it would have been sent, in the retry lane; deliver merges it with what is newer."""
    if letter.kind == "receipt":
        return RECEIPT
    if value is None:
        return NO_CONTENT
    try:
        kind = RecordKind(letter.kind)
        # Which partition it lay in does not matter: it goes to that of its account.
        record = read_record(value, kind, 0, 1, max_bytes=target.max_bytes)
    except (Unreadable, ValueError):
        return NOT_A_RECORD
    if record.account not in target.accounts:
        return UNKNOWN_ACCOUNT
    changes: dict[str, object] = {"lane": Lane.RETRY}
    if isinstance(record, PurchaseRecord) and record.lane is Lane.BACKFILL and not record.run_workflows:
        changes["trigger"] = False  # history starts no workflows, in whichever lane it comes
    again = record.model_copy(update=changes)
    return Sending(
        kind.topic,
        partition_of(record.account, target.partitions),
        unique_key(record_key(record.account, kind, record.id)),
        again.model_dump_json(exclude_none=True).encode(),
        [(REDRIVE_LETTER, target.name(letter.id).encode())],
    )


def _event(
    target: ResendTarget, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """An event byte for byte, judged by today's code and settings."""
    if value is None and not entity_key(key or b""):
        return NO_CONTENT
    if target.other_prefix is not None:
        return _kept_anew(target, letter, key, value, headers)
    mark = _mark(target, letter, headers)
    if mark is None:
        return NO_EVENT
    again = unique_key(key or b"")
    return Sending(topics.REPLAY, mark.partition, again, value, list(replay_headers(headers, mark)))


def _notification(
    target: ResendTarget, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """A notification whose documents are asked for once more."""
    if value is None and not entity_key(key or b""):
        return NO_CONTENT
    if target.other_prefix is not None:
        return _kept_anew(target, letter, key, value, headers)
    try:
        event = RawEvent.from_kafka(value, [(name, text or b"") for name, text in event_headers(headers)])
    except ValueError:
        return NO_EVENT
    if event.topic.startswith(CALLBACK):
        return _callback(target, event, value)
    request = FetchRequest(place_of(*letter.origin), event)
    partition = partition_of(event.store, target.partitions)
    again = unique_key(request.key)
    return Sending(topics.SYNC_REQUESTS_TOPIC, partition, again, value, list(request.headers()))


def _callback(target: ResendTarget, event: RawEvent, value: bytes | None) -> Sending:
    """What Connectif said of a newsletter, to be brought to the shop once more; what is newer counts."""
    partition = partition_of(event.store, target.partitions)
    headers = list(event.to_kafka_headers())
    return Sending(topics.SYNC_CONSENTS_TOPIC, partition, unique_key(event.key), value, headers)


def _mark(target: ResendTarget, letter: Letter, headers: Headers) -> ReplayMark | None:
    """Which event is replayed, as a run of its own; what was replayed before says where it lies."""
    run = REDRIVE_PREFIX + target.name(letter.id)
    topic, partition, offset = letter.origin
    if topic not in _TOPICS.values():
        try:
            topic, partition, offset = ReplayMark.of(headers)[1:4]
        except ValueError:
            return None
    if topic not in _TOPICS.values() or partition < 0 or offset < 0:
        return None
    return ReplayMark(run, topic, partition, offset, ReplayMode.MISSING, target.run_workflows)


def _kept_anew(
    target: ResendTarget, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """As if this pipeline's gateway had kept it: its place under the other prefix says nothing here."""
    topic = _TOPICS.get(letter.kind)
    if topic is None:
        return NO_EVENT
    lane = Lane.LIVE if target.run_workflows else Lane.BACKFILL
    own = [
        (name, lane.encode() if name == _LANE else text or b"")
        for name, text in event_headers(headers)
        if name != REDRIVE_LETTER
    ]
    return Sending(
        topic, None, unique_key(key or b""), value, [*own, (REDRIVE_LETTER, target.name(letter.id).encode())]
    )
