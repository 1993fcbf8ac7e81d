"""What two looks at a shop's flag of consent say that one does not. Pure.

Some shops keep whether somebody is subscribed, and not, or not always, since when. A subscription that was
there at the first look counts from the customer's creation; a refusal at the first look is silence, for it is
also the flag of everybody who was never asked. A change between two looks counts from the later one.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.records import Contact, Subscription
from pipeline.shops.base import Draft, Look
from pipeline.translate.state import EntityState, SeenFlag

#: Changes that are remembered of one customer, the most recent: an event that is read again finds the one
#: before it.
MAX_FLAGS = 8


def compared(drafts: Iterable[Draft], state: EntityState, offset: int, looked_ms: int) -> tuple[Draft, ...]:
    """The drafts with the consent that their looks mean.

    Args:
        drafts: of one event of the customer.
        state: the customer's; remembers the look.
        offset: the event's.
        looked_ms: when the shop was looked at, epoch ms.
    """
    return tuple(
        draft if draft.look is None else _meant(draft, draft.look, state, offset, looked_ms)
        for draft in drafts
    )


def _meant(draft: Draft, look: Look, state: EntityState, offset: int, looked_ms: int) -> Draft:
    seen = _seen(look, state, offset, looked_ms)
    body = draft.body
    if not isinstance(body, Contact) or not (seen.subscribed or seen.since_ms):
        return draft
    word: Subscription = "subscribed" if seen.subscribed else "unsubscribed"
    said = body.model_copy(update={"newsletter": word, "newsletter_ms": seen.since_ms})
    return draft._replace(body=said)


def _seen(look: Look, state: EntityState, offset: int, looked_ms: int) -> SeenFlag:
    """What the shop says now, and since when; remembered, if it is not what it said before."""
    before = next((flag for flag in reversed(state.flags) if flag.offset <= offset), None)
    same = before is not None and before.subscribed == look.subscribed
    # A refusal that was silence may have become one that somebody who was subscribed meanwhile gave.
    given = before is not None and same and not look.subscribed and not before.since_ms and look.since_ms > 0
    if before is not None and (before.offset == offset or (same and not look.is_dated and not given)):
        return before
    since = look.since_ms if before is None or look.is_dated or given else looked_ms
    if before is not None and same and before.since_ms == since:
        return before
    seen = SeenFlag(look.subscribed, since, offset)
    state.flags.append(seen)
    state.flags.sort(key=lambda flag: flag.offset)
    del state.flags[:-MAX_FLAGS]
    return seen
