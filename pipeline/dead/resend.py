"""What is sent for a letter that is sent again, or why nothing can be: rules without a client."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.config import Settings
from pipeline.dead.letter import REDRIVE_LETTER, REPLAY_RUN, RUN_PREFIX, Letter, LetterId
from pipeline.dead.selection import Wanted, is_wanted
from pipeline.dead.state import LetterState, Status
from pipeline.deliver.partition.reading import Unreadable, read_record
from pipeline.events import Kind, Lane
from pipeline.kafka import topics
from pipeline.kafka.messages import Headers
from pipeline.records import PurchaseRecord, RecordKind, partition_of, record_key

#: Where events are replayed to; translate reads it beside `shop.*`.
REPLAY = "shop.replay"
_REPLAY_HEADERS = frozenset({REPLAY_RUN, "replay-topic", "replay-partition", "replay-offset", "replay-mode"})
_SHOP_TOPICS = frozenset(kind.topic for kind in Kind)


class Sending(NamedTuple):
    """A message; `topic` is without the prefix, `partition` None lets the key decide."""

    topic: str
    partition: int | None
    key: bytes | None
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
NO_REPLAY = Refusal(
    "no_replay", "it is an event, and this release's translate stage reads no events that are sent again"
)
UNKNOWN_ACCOUNT = Refusal("unknown_account", "its account is not in the settings: put it back, then redrive")
NOT_A_RECORD = Refusal("not_a_record", "it is no record of this program's: nothing could be made of it")

_ONCE_MORE = "by its id, or --state {state}, --again sends it nevertheless"
DROPPED = Refusal("dropped", f"it was dropped; {_ONCE_MORE.format(state='dropped')}")
REDRIVEN = Refusal("redriven", f"it was sent again before; {_ONCE_MORE.format(state='redriven')}")
CAME_BACK = Refusal(
    "came_back", "it was sent again before and came back for the same reason; --again sends it nevertheless"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where letters are sent again to.

    Attributes:
        accounts: of the settings.
        partitions: of `connectif.*`.
        max_bytes: the largest message.
        takes_events: whether translate reads events that are sent again.
        other_prefix: the prefix that the letters lie under, where it is not that of the settings; else None.
    """

    accounts: Collection[str]
    partitions: int
    max_bytes: int
    takes_events: bool
    other_prefix: str | None = None

    @classmethod
    def of(cls, settings: Settings, *, other_prefix: str | None = None) -> Target:
        """As the settings say."""
        kafka = settings.kafka
        replay = topics.full_name(settings, REPLAY)
        takes_events = any(topic.name == replay for topic in topics.table(settings))
        return cls(
            frozenset(settings.accounts),
            kafka.account_partitions,
            kafka.max_message_bytes,
            takes_events,
            other_prefix,
        )

    def name(self, letter: LetterId) -> str:
        """What a message says that it comes from."""
        return str(letter) if self.other_prefix is None else f"{self.other_prefix}~{letter}"


def held_back(status: Status, *, again: bool, wanted: Wanted = Wanted.OPEN) -> Refusal | None:
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
    target: Target, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """What is sent again for a letter, or why nothing can be."""
    if letter.stage == "deliver":
        return _record(target, letter, value)
    if letter.stage == "translate":
        return _event(target, letter, key, value, headers)
    return UNKNOWN_STAGE


def _record(target: Target, letter: Letter, value: bytes | None) -> Sending | Refusal:
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
    if isinstance(record, PurchaseRecord) and record.lane is Lane.BACKFILL:
        changes["trigger"] = False  # history starts no workflows, in whichever lane it comes
    again = record.model_copy(update=changes)
    return Sending(
        kind.topic,
        partition_of(record.account, target.partitions),
        record_key(record.account, kind, record.id),
        again.model_dump_json(exclude_none=True).encode(),
        [(REDRIVE_LETTER, target.name(letter.id).encode())],
    )


def _event(
    target: Target, letter: Letter, key: bytes | None, value: bytes | None, headers: Headers
) -> Sending | Refusal:
    """An event byte for byte, as a replay sends it: translate judges it by today's code and settings."""
    if key is None and value is None:
        return NO_CONTENT
    if not target.takes_events:
        return NO_REPLAY
    own = [
        (name, text or b"")
        for name, text in headers
        if not name.startswith("dead-") and name not in _REPLAY_HEADERS
    ]
    topic, partition, offset = _source(letter, headers)
    replayed = {
        REPLAY_RUN: RUN_PREFIX + target.name(letter.id),
        "replay-topic": topic,
        "replay-partition": str(partition),
        "replay-offset": str(offset),
        "replay-mode": "missing",
    }
    return Sending(
        REPLAY,
        partition if target.other_prefix is None and partition >= 0 else None,
        key,
        value,
        [*own, *((name, text.encode()) for name, text in replayed.items())],
    )


def _source(letter: Letter, headers: Headers) -> tuple[str, int, int]:
    """Where the shop's event lies: what was replayed says so itself."""
    if letter.origin.topic in _SHOP_TOPICS:
        return letter.origin
    said = {name: (text or b"").decode(errors="replace") for name, text in headers}
    try:
        return said["replay-topic"], int(said["replay-partition"]), int(said["replay-offset"])
    except (KeyError, ValueError):
        return letter.origin
