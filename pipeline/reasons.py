"""Each reason in words, and the way out: what an operator does before the letters are sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Explained(NamedTuple):
    """A reason in words, and what to do about it."""

    words: str
    way_out: str


_SHOP = "Correct it in the shop: its next event counts, and the letter can be dropped."
_PLATFORM = "If the shop is right, this program is wrong: redrive once a release reads it; else drop it."
_FOREIGN = "Find out who writes to this topic, take the right away, and drop the letter."
_ACCOUNT = "Correct it in Connectif, then redrive."

_DELIVER: Mapping[str, Explained] = {
    "bad_domain": Explained(
        "Connectif does not take this product's address: its domain is not authorised",
        "Add the domain in Connectif (Store settings > Channels > Web > Advanced), then redrive the products "
        "and the purchases.",
    ),
    "missing_contact": Explained("Connectif does not have the purchase's contact", _ACCOUNT),
    "missing_products": Explained("Connectif does not have products of the purchase", _ACCOUNT),
    "invalid": Explained(
        "Connectif refuses what it was sent; the detail is its answer",
        "Where a field is missing in Connectif, make it and redrive. Where the value is wrong, correct it in "
        "the shop: its next event counts.",
    ),
    "conflict": Explained(
        "Connectif holds another element with the same external id or address",
        "Put the two together in Connectif, then redrive.",
    ),
    "absent": Explained("Connectif says that there is no such element", _ACCOUNT),
    "refused_row": Explained(
        "Connectif refused this row of an import; the detail is its report",
        "Where a field or coupon set is missing in Connectif, make it and redrive; else correct the value.",
    ),
    "import_failed": Explained("Connectif could not carry out the import that this was in", "Redrive."),
    "unavailable": Explained(
        "Connectif failed whenever this purchase was sent, though it took others",
        "Redrive; if it comes back, show Connectif's support the purchase id.",
    ),
    "id_used_up": Explained(
        "Connectif does not take the id of a purchase again that was deleted there",
        "Redriving does not help. Ask Connectif's support, then redrive; else drop it.",
    ),
    "purchase_id_taken": Explained(
        "Another order was sent under this purchase id before, and keeps it",
        'Two orders of the shop have one number: set purchase_id = "id" for the store and replay its orders; '
        "or redrive once the other is cancelled.",
    ),
    "unreadable": Explained("Connectif's answers made no sense for too long", "Redrive."),
    "invalid_record": Explained("The message is no record of this program's", _FOREIGN),
    "invalid_receipt": Explained("The message is no receipt of this program's", _FOREIGN),
    "unknown_record": Explained("The receipt is of no record here", _FOREIGN),
    "wrong_topic": Explained("The record lies on the topic of another kind", _FOREIGN),
    "wrong_partition": Explained(
        "The record lies in the partition of another account", "Redrive: it goes to the right one."
    ),
    "no_contact": Explained("The purchase names no contact, or two", _FOREIGN),
}
_TRANSLATE: Mapping[str, Explained] = {
    "no_email": Explained(
        "The buyer or customer has no e-mail address",
        'Set guests_without_email = "external_id" for the store and redrive; or add the address in the shop.',
    ),
    "no_account": Explained(
        "No route of the store takes what the body says of language, shop and currency",
        "Add a route for it (docs/platforms.md), then redrive.",
    ),
    "currency_mismatch": Explained(
        "The order is in another currency than the account",
        "Correct the account's `currency`, or move the store to an account of that currency, then redrive.",
    ),
    "currency_missing": Explained(
        "The order names no currency", "Take out the account's `currency`, redrive."
    ),
    "unknown_status": Explained(
        "The order has a status that is not the platform's own",
        "Say in `sold_statuses` of the store which statuses are sold, then redrive.",
    ),
    "no_products": Explained(
        "No line of the order names a product",
        "Set `placeholder_product` of the store, then redrive.",
    ),
    "missing_field": Explained(
        "The body lacks a field that is needed",
        "If the webhook is cut (include_fields), add the field; the order's next event counts.",
    ),
    "too_many_records": Explained("The event lists more than is read of one body", _SHOP),
    "translate_error": Explained(
        "This program failed on the event; translate's log has the traceback",
        "Report it with the log; redrive once a release mends it.",
    ),
    "retired_store": Explained(
        "The store is one of translate.retired_stores",
        "Drop it; or take it out of that list and redrive.",
    ),
    "refused_store": Explained(
        "The store's settings cannot be used, as translate's log and `pipeline validate` say",
        "Correct them, start translate again, then redrive.",
    ),
    "unknown_store": Explained(
        "The store is not in the settings, nor did a gateway accept the message", _FOREIGN
    ),
    "wrong_platform": Explained(
        "The event was sent as another platform's than the store's is",
        "Correct the store's `platform`, then redrive.",
    ),
    "wrong_key": Explained("The message's key is not that of its event", _FOREIGN),
    "wrong_topic": Explained("The event lies on the topic of another kind", _FOREIGN),
    "not_an_event": Explained("The message is no event of a gateway's", _FOREIGN),
    "document_missing": Explained(
        "The shop's API knew nothing of what its webhook named",
        "Look for it in the shop: if it is there, its next notification brings it; else drop the letter.",
    ),
    "not_documents": Explained(
        "The message says that a shop's API was asked, and holds no answers of one", _FOREIGN
    ),
    "not_a_replay": Explained("The message repeats no event", _FOREIGN),
    "shop_api_error": Explained(
        "The shop sent an error of its own in the place of the body",
        "Repeat the change there, or drop it.",
    ),
    "topic_contradicts_body": Explained(
        "The body does not fit the topic in its header, which nobody signs", "Drop it; nothing was changed."
    ),
    "missing_topic": Explained("The webhook did not say what it is about", _SHOP),
    "several_documents": Explained(
        "The webhook names its order by a number that several orders have",
        "Let the webhook hold the field entity_id (docs/shops), then send the order again from the shop.",
    ),
    "invalid_json": Explained("The body is no JSON", _SHOP),
    "invalid_email": Explained("The e-mail address cannot exist", _SHOP),
    "invalid_consent": Explained("The state of consent is not known", _PLATFORM),
    **{
        name: Explained(f"The body's {what} cannot be read", _PLATFORM)
        for name, what in {
            "invalid_date": "date",
            "invalid_field": "field",
            "invalid_id": "id",
            "invalid_line": "line",
            "invalid_money": "amount",
            "invalid_quantity": "quantity",
        }.items()
    },
}
_SYNC: Mapping[str, Explained] = {
    "not_a_request": Explained("The message is no request of this program's", _FOREIGN),
    "fetch_refused": Explained(
        "The shop's API refuses the request for a document that a webhook named",
        "See the shop's log for the status in the detail; once it answers, redrive.",
    ),
    "fetch_failed": Explained(
        "The shop's API answered for others, but for a day not for this document",
        "Open the order, customer or product in the shop; once its API shows it, redrive.",
    ),
    "no_write_back": Explained(
        "What a person said of the newsletter in Connectif cannot be written at this shop",
        "Unsubscribe or subscribe the person in the shop by hand, then drop it; docs/newsletter.md says what "
        "each platform needs.",
    ),
    "unknown_at_shop": Explained(
        "What a person said of the newsletter in Connectif is of an address that the shop does not know",
        "Nothing is to be withdrawn there: drop it. Who subscribed is a contact in Connectif alone.",
    ),
    "guest_at_shop": Explained(
        "What a person said of the newsletter in Connectif is of a guest, whom the shop's API cannot change",
        "Unsubscribe the person in the shop by hand, then drop it.",
    ),
    "no_consent_field": Explained(
        "The shop's customers have no field for the newsletter",
        "Switch the shop's newsletter module on, then redrive.",
    ),
    "write_refused": Explained(
        "The shop's API refuses to write what a person said of the newsletter; the detail is its answer",
        "Check the rights of the credentials, and the customer in the shop, then redrive.",
    ),
    "write_failed": Explained(
        "The shop's API answers others, but what a person said of the newsletter is not there after a day",
        "Look at the customer in the shop, then redrive.",
    ),
    "documents_too_large": Explained(
        "The shop's documents of this event are more than one event holds",
        "If the shop is right, this program is wrong: redrive once a release reads it; else drop it.",
    ),
}
_BOTH: Mapping[str, Explained] = {
    "record_too_large": Explained(
        "A record is larger than a third of kafka.max_message_bytes",
        "Raise kafka.max_message_bytes, run `pipeline topics --apply`, restart, redrive.",
    ),
}
_STAGES: Mapping[str, Mapping[str, Explained]] = {
    "deliver": _DELIVER,
    "sync": _SYNC,
    "translate": _TRANSLATE,
}
OTHER = Explained("No words are known for this reason", "See the detail.")


def explained(stage: str, reason: str) -> Explained:
    """A reason of a stage in words."""
    known = _STAGES.get(stage, {})
    return known.get(reason) or _BOTH.get(reason) or OTHER


def known() -> set[tuple[str, str]]:
    """(stage, reason) of all that have words."""
    own = {(stage, reason) for stage, reasons in _STAGES.items() for reason in reasons}
    return own | {(stage, reason) for stage in _STAGES for reason in _BOTH}
