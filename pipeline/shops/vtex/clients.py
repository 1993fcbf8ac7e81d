"""VTEX's clients (Master Data, entity CL) -> contacts."""

from __future__ import annotations

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Look, Translation
from pipeline.shops.lenient import birthdate
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.php import is_no_date
from pipeline.shops.values import belongs_to_nobody, epoch_ms, text
from pipeline.shops.vtex.fields import flag, moment, phones, plain, readable
from pipeline.shops.vtex.lookups import client_path, found
from pipeline.shops.vtex.settings import VtexStore


def client(event: RawEvent, documents: Documents, store: VtexStore) -> Translation:
    """The contact of a client's document. Its opt-in has no time of its own: only a change says when.

    Raises:
        Rejected: `invalid_email`, `invalid_date`.
    """
    body = found(documents, client_path(event.entity))
    if not isinstance(body, dict):
        if store.settings.on_customer_deleted == "keep":
            return Translation(event.received_ms, ignored="customer_kept")
        gone = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
        return Translation(event.received_ms, (gone,), "deleted")
    made, changed = (None if is_no_date(body.get(key)) else body[key] for key in ("createdIn", "updatedIn"))
    changed = changed or made
    version = epoch_ms(moment(changed, "updatedIn")) if changed else event.received_ms
    address = readable(body.get("email"))
    if address is None:
        return Translation(version, ignored="no_email")
    if belongs_to_nobody(address):
        return Translation(version, ignored="anonymised")
    opted_in = flag(body.get("isNewsletterOptIn"))
    since = epoch_ms(moment(made, "createdIn")) if made else version
    notes: list[str] = []
    buyer = Buyer(
        email=address,
        customer_id=text(body.get("userId"), 100) or event.entity,
        name=given_name(plain(body, "firstName", notes, 200)),
        surname=plain(body, "lastName", notes, 200),
        phones=(*phones(body.get("homePhone")), *phones(body.get("phone"))),
        birthdate=birthdate(body, "birthDate", notes),
        notes=tuple(dict.fromkeys(notes)),
        look=None if opted_in is None else Look(opted_in, since if opted_in else 0),
        language=text(body.get("localeDefault"), 40),
    )
    return Translation(version, (contact_draft(buyer, store.settings, Origin.CUSTOMER),))
