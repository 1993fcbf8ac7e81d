"""/purchases: one purchase per call; no list, no change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import (
    NO_CONTENT,
    Answer,
    Violation,
    absent,
    custom,
    ok,
    refuse,
    unprocessable,
)
from pipeline.sandbox.connectif.model.field_types import names, violations
from pipeline.sandbox.connectif.model.purchases import LINE, PURCHASE, shown
from pipeline.sandbox.connectif.model.storage import Entry


def create(call: Call) -> Answer:
    """POST /purchases/: checked for form, repetition, contact, products, domains, in this order."""
    trigger = call.flag("triggerPurchaseEvent", default=True)
    body = call.document()
    if isinstance(body.get("purchaseId"), str):
        call.key = body["purchaseId"]
    body = _checked(call, body)
    account, switches = call.account, call.switches
    if switches.repetition_checked == "first":
        _check_repetition(call, body["purchaseId"])
    contact = _contact(call, body)
    lines = _lines(call, body["products"])
    if switches.repetition_checked == "last":
        _check_repetition(call, body["purchaseId"])
    if trigger or switches.charge_untriggered_purchases:
        account.check_allowance()
        account.consume("purchase")
    stored = {**body, "products": lines}
    entry = account.purchases.create(stored, contact, call.now, switches, trigger=trigger)
    call.key = entry.key
    return call.stored(shown(entry), switches.purchase_created_status)


def get(call: Call) -> Answer:
    """GET /purchases/purchase-id/{purchaseId}."""
    call.key = call.params["purchaseId"]
    return _get(call.account.purchases.find(call.key, call.switches))


def get_by_id(call: Call) -> Answer:
    """GET /purchases/{id}."""
    return _get(call.account.purchases.shelf.by_id(call.connectif_id()))


def delete(call: Call) -> Answer:
    """DELETE /purchases/purchase-id/{purchaseId}."""
    call.key = call.params["purchaseId"]
    return _delete(call, call.account.purchases.find(call.key, call.switches))


def delete_by_id(call: Call) -> Answer:
    """DELETE /purchases/{id}."""
    return _delete(call, call.account.purchases.shelf.by_id(call.connectif_id()))


def _checked(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    switches = call.switches
    refuse_unknown, allow_null = switches.unknown_fields == "refuse", switches.null_values == "clear"
    required = ("purchaseId", "totalPrice", "products", *names(switches.purchase_also_required))
    wrong = violations(
        body, PURCHASE, required=required, refuse_unknown=refuse_unknown, allow_null=allow_null
    )
    if body.get("contactEmail") is None and body.get("contactExternalId") is None:
        wrong.append(Violation("contactEmail", "/contactEmail", "Value is required"))
    lines = body.get("products")
    line_required = ("productId", *names(switches.purchase_line_also_required))
    for place, line in enumerate(lines if isinstance(lines, list) else ()):
        at = f"/products/{place}"
        if isinstance(line, dict):
            wrong += violations(
                line,
                LINE,
                required=line_required,
                refuse_unknown=refuse_unknown,
                allow_null=allow_null,
                at=at,
            )
        else:
            wrong.append(Violation(str(place), at))
    if wrong:
        raise unprocessable(wrong)
    return {name: value for name, value in body.items() if name in PURCHASE and value is not None}


def _check_repetition(call: Call, purchase_id: str) -> None:
    before = call.account.purchases.ever(purchase_id, call.switches)
    if before is not None and (not before.deleted or not call.switches.reuse_deleted_purchase_id):
        raise refuse(409, f"Purchase {purchase_id} already exists.")


def _contact(call: Call, body: Mapping[str, Any]) -> Entry:
    email, external_id = body.get("contactEmail"), body.get("contactExternalId")
    if email is not None and call.switches.email_case == "lower":
        email = email.lower()
    contacts = call.account.contacts
    found = None
    if external_id is not None:
        found = contacts.find("external-id", external_id)
    if found is None and email is not None:
        found = contacts.find("email", email)
    if found is None:
        raise custom("E0101", f"Contact {external_id if email is None else email} does not exist.")
    return found


def _lines(call: Call, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines as they are stored, each with its product's Connectif id; else E0102 or E0103."""
    products, switches = call.account.products, call.switches
    ids = dict.fromkeys(line["productId"] for line in sent)
    found = {product_id: products.shelf.find(product_id) for product_id in ids}
    missing = [product_id for product_id, entry in found.items() if entry is None]
    if missing:
        listed = missing if switches.missing_products_listed == "all" else missing[:1]
        raise custom("E0102", f"Product {', '.join(listed)} does not exist.", productIds=listed)
    known = {product_id: entry for product_id, entry in found.items() if entry is not None}
    foreign = [
        line["productId"]
        for line in sent
        if not products.domains.allow(line.get("productDetailUrl", ""), switches.domain_match)
    ]
    if foreign:
        shop = switches.error_product_ids == "shop"
        listed = list(dict.fromkeys(name if shop else known[name].id for name in foreign))
        raise custom(
            "E0103",
            f"Product {', '.join(listed)} had URL from non authorized domain.",
            **{switches.error_product_ids_field: listed},
            allowedDomains=products.domains.listed,
        )
    lines = []
    for line in sent:
        kept = {name: value for name, value in line.items() if name in LINE and value is not None}
        lines.append({"id": known[line["productId"]].id, **kept})
        if switches.lines_update_catalogue:
            own = ("productId", "quantity", "price")
            changes = {name: value for name, value in kept.items() if name not in own}
            products.patch(line["productId"], changes, call.now)
    return lines


def _get(entry: Entry | None) -> Answer:
    if entry is None:
        raise absent("Purchase")
    return ok(shown(entry))


def _delete(call: Call, entry: Entry | None) -> Answer:
    if entry is not None:
        call.key = entry.key
        call.account.purchases.delete(entry, call.now)
    elif call.switches.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise absent("Purchase")
    return NO_CONTENT
