"""Custom shops as the rest of the program knows them: what a request is about, and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.base import Arrival, Rejected, Translation, WebhookRequest, noted
from pipeline.shops.generic.api import API
from pipeline.shops.generic.consent import CONSENT
from pipeline.shops.generic.examination import EXAMINATION
from pipeline.shops.generic.fields import moment, readable_id
from pipeline.shops.generic.orders import deleted_order, order
from pipeline.shops.generic.people import consent, customer, deleted_customer
from pipeline.shops.generic.probe import PROBE
from pipeline.shops.generic.products import deleted_product, product
from pipeline.shops.generic.pull import PULL
from pipeline.shops.generic.schema import SCHEMAS
from pipeline.shops.generic.settings import GenericSettings, GenericStore
from pipeline.shops.generic.signatures import ID, TIMESTAMP, is_genuine
from pipeline.shops.generic.topics import TOPICS
from pipeline.shops.platform import Ability, PersonFields, Platform, TopicMeaning
from pipeline.shops.values import body_hash, email_text, epoch_ms, parse_json_object

#: Stands where an envelope names no type.
NO_TYPE = "none"
_KEPT = (ID, TIMESTAMP, "user-agent")
_KINDS = {kind.value: kind for kind in Kind}

Reader = Callable[[dict[str, Any], RawEvent, GenericStore], Translation]

_READERS: Mapping[tuple[Kind, TopicMeaning], Reader] = {
    (Kind.ORDER, TopicMeaning.STATE): order,
    (Kind.ORDER, TopicMeaning.DELETION): deleted_order,
    (Kind.CUSTOMER, TopicMeaning.STATE): customer,
    (Kind.CUSTOMER, TopicMeaning.DELETION): deleted_customer,
    (Kind.CUSTOMER, TopicMeaning.CONSENT): consent,
    (Kind.PRODUCT, TopicMeaning.STATE): product,
    (Kind.PRODUCT, TopicMeaning.DELETION): deleted_product,
}


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: GenericSettings) -> bool:
    """Whether one of the secrets signed the request, at about the time it came."""
    return is_genuine(secrets, request, settings.signature_tolerance)


def arrival(request: WebhookRequest) -> Arrival:
    """What a request is about, as its signed body says.

    A repeat has the same id, type and body: senders take an order's id for the message's, and a cancellation
    must not count as a repeat of the sale. A statement of somebody who is no customer is kept under the
    address, and what names no entity under a hash.
    """
    try:
        body = parse_json_object(request.body)
    except Rejected:
        body = {}
    said = body.get("type")
    topic = said.strip()[:100] if isinstance(said, str) else ""
    message = request.headers.get(ID, "")
    content = body_hash(f"{topic}\n".encode(errors="replace") + request.body)
    known, kind = TOPICS.get(topic), _KINDS.get(topic.partition(".")[0], Kind.ORDER)
    entity = _entity(body.get("data"), by_address=known is not None and known.meaning is TopicMeaning.CONSENT)
    return Arrival(
        kind=kind,
        entity=entity or f"unread-{content}",
        topic=topic or NO_TYPE,
        delivery=f"{message}:{content}",
        triggered_ms=_triggered_ms(body),
        headers={name: request.headers[name] for name in _KEPT if name in request.headers},
    )


def _entity(data: object, *, by_address: bool) -> str | None:
    if not isinstance(data, dict):
        return None
    own = readable_id(data.get("id"))
    if own is None and by_address:
        return readable_id((email_text(data.get("email")) or "").lower())
    return own


def _triggered_ms(body: Mapping[str, Any]) -> int:
    """When the shop says it happened; 0 where it does not, or not so that it can be read."""
    try:
        return epoch_ms(moment(body.get("timestamp"), "timestamp"))
    except Rejected:
        return 0


def translate(event: RawEvent, store: GenericStore) -> Translation:
    """What the event means; its topic says which reader knows.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic == NO_TYPE:
        raise Rejected("missing_field", "type", "the envelope does not say what it is about")
    topic = TOPICS.get(event.topic)
    if topic is None or topic.kind is not event.kind:
        return Translation(version=0, ignored="unknown_topic")
    notes: list[str] = []
    body = parse_json_object(event.body, notes)
    data = body.get("data")
    if not isinstance(data, dict):
        raise Rejected("missing_field", "data", "the envelope holds no object `data`")
    data.setdefault("shop", body.get("source"))
    return noted(_READERS[topic.kind, topic.meaning](data, event, store), notes)


GENERIC = Platform(
    name="generic",
    title="Custom shop",
    settings=GenericSettings,
    topics=TOPICS,
    webhooks_menu="your own code: [docs/shops/generic.md](docs/shops/generic.md)",
    signed_with="you choose it: `whsec_` and the base64 of 24 random bytes or more",
    product_page="https://{domain}/products/{id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    abilities=frozenset({Ability.RECEIVE, Ability.PULL, Ability.WRITE_BACK}),
    consent=CONSENT,
    order_numbers=("data.number",),
    person=PersonFields(roots=((), ("data",))),
    api=API,
    pull=PULL,
    examination=EXAMINATION,
    probe=PROBE,
    schemas=SCHEMAS,
    message_id=lambda delivery: delivery.rpartition(":")[0],
)
