"""What Connectif was last sent of a key, as it is stored."""

from __future__ import annotations

import orjson

from pipeline.deliver.state.diff import apply
from pipeline.deliver.state.last_sent import LastSent, last_sent_from_json
from pipeline.deliver.state.states import State


def stored(sent: LastSent) -> LastSent:
    """Written as JSON, and read again."""
    return last_sent_from_json(sent.kind, orjson.loads(orjson.dumps(sent.to_json())))


def last_sent(*states: State) -> LastSent:
    """After these were sent one after the other."""
    known: LastSent | None = None
    for state in states:
        known = apply(known, state)
    assert known is not None
    return stored(known)
