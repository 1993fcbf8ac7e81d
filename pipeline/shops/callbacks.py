"""What Connectif says of a person's newsletter, and what it was told: events of topics of our own. Pure.

A callback lies in `sync.consents`, and as an event of the person in `shop.customers`, under a topic that
begins with `CALLBACK`. What the shop said, and Connectif is told, lies in `sync.consents` under one that
begins with `TOLD`. No webhook can claim such a topic.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Origin, RecordKind, Subscription
from pipeline.shops.base import CONSENT_CLOCK, Draft, Rejected, Translation
from pipeline.shops.values import body_hash, email, parse_json_object

#: Topics of what Connectif said begin so, and of what it was told.
CALLBACK, TOLD = "callback/", "told/"
#: Beginnings that no webhook's topic has.
OURS = (CALLBACK, TOLD)
SUBSCRIBED: Subscription = "subscribed"
UNSUBSCRIBED: Subscription = "unsubscribed"
BOUNCED = "bounced"
_STATES: dict[str, Subscription] = {SUBSCRIBED: SUBSCRIBED, UNSUBSCRIBED: UNSUBSCRIBED}


class Statement(NamedTuple):
    """What was said of one person's newsletter.

    Attributes:
        address: of the person, as `values.email` writes it.
        state: what was said.
        at_ms: when, epoch ms.
        in_person: whether the person said it, and not an import or a change by hand: Connectif then names the
            network address, which is not kept.
        account: whose callback it is, of a store that feeds several; "" for the only one, and for the shop's.
    """

    address: str
    state: Subscription
    at_ms: int
    in_person: bool = False
    account: str = ""

    @property
    def rank(self) -> tuple[int, bool]:
        """Of two statements of a person the greater one counts: the newer, of two at once the withdrawal."""
        return self.at_ms, self.state == UNSUBSCRIBED


def callback_event(  # noqa: PLR0917 - positional: what it says
    store: str,
    platform: str,
    what: str,
    address: str,
    received_ms: int,
    in_person: bool,
    *,
    bounce: str = "",
    account: str = "",
) -> RawEvent:
    """The event of a callback.

    Args:
        store: its name.
        platform: the store's.
        what: `SUBSCRIBED`, `UNSUBSCRIBED` or `BOUNCED`.
        address: as `values.email` writes it.
        received_ms: when it came: Connectif names no moment.
        in_person: see `Statement`.
        bounce: of a bounce, its type.
        account: see `Statement`.
    """
    said = Statement(address, _STATES.get(what, UNSUBSCRIBED), received_ms, in_person, account)
    return _event(store, platform, CALLBACK + what, said, received_ms, bounce)


def told_event(store: str, platform: str, said: Statement, received_ms: int) -> RawEvent:
    """The message that says what a shop said, which Connectif is being told.

    Args:
        store: its name.
        platform: the store's.
        said: by the shop.
        received_ms: when we heard it.
    """
    return _event(store, platform, TOLD + said.state, said, received_ms)


def _event(  # noqa: PLR0917 - positional: what it says
    store: str, platform: str, topic: str, said: Statement, received_ms: int, bounce: str = ""
) -> RawEvent:
    more: dict[str, object] = {"bounce": bounce} if bounce else {"in_person": said.in_person}
    if said.account:
        more["account"] = said.account
    body = orjson.dumps({"email": said.address, **more})
    delivery = body_hash(b"%b\n%d\n%b" % (topic.encode(), said.at_ms, body))
    return RawEvent(
        store=store,
        platform=platform,
        kind=Kind.CUSTOMER,
        entity=said.address,
        topic=topic,
        delivery=delivery,
        received_ms=received_ms,
        body=body,
        triggered_ms=said.at_ms,
    )


def statement_of(event: RawEvent) -> Statement | None:
    """What an event of these topics says; None where it says nothing of the newsletter, as a bounce does.

    Raises:
        Rejected: `invalid_json`, `invalid_email`: this program did not write it.
    """
    state = _STATES.get(event.topic.partition("/")[2])
    if state is None:
        return None
    body = parse_json_object(event.body)
    address = body.get("email")
    if not isinstance(address, str):
        raise Rejected("invalid_email", "email", "a callback without its address")
    in_person, account = body.get("in_person") is True, body.get("account")
    at_ms = event.triggered_ms or event.received_ms
    return Statement(email(address), state, at_ms, in_person, account if isinstance(account, str) else "")


def heard(event: RawEvent) -> Translation:
    """What a callback means: consent that Connectif has already, to be remembered and not sent.

    Raises:
        Rejected: see `statement_of`.
    """
    said = statement_of(event)
    if said is None:
        return Translation(0, ignored="bounce", clock=CONSENT_CLOCK)
    body = Contact(email=said.address, newsletter=said.state, newsletter_ms=said.at_ms)
    draft = Draft(RecordKind.CONTACT, said.address, Origin.CUSTOMER, body, heard=True)
    return Translation(said.at_ms, (draft,), clock=CONSENT_CLOCK)
