"""/purchases: one purchase per call; no list, no change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import (
    ApiError,
    Violation,
    coded_error,
    not_found,
    unprocessable,
)
from pipeline.sandbox.connectif.model.field_types import split_commas, violations
from pipeline.sandbox.connectif.model.purchases import LINE, PURCHASE, purchase_json
from pipeline.sandbox.connectif.model.storage import StoredElement


def create(request: ApiRequest) -> ApiResponse:
    """POST /purchases/: checked for form, repetition, contact, products, domains, in this order."""
    trigger = request.flag("triggerPurchaseEvent", default=True)
    body = request.document()
    if isinstance(body.get("purchaseId"), str):
        request.key = body["purchaseId"]
    body = _checked(request, body)
    account, behaviour = request.account, request.behaviour
    if behaviour.repetition_checked == "first":
        _check_repetition(request, body["purchaseId"])
    contact = _contact(request, body)
    lines = _lines(request, body["products"])
    if behaviour.repetition_checked == "last":
        _check_repetition(request, body["purchaseId"])
    if trigger or behaviour.charge_untriggered_purchases:
        account.data.check_allowance()
        account.data.consume("purchase")
    stored = {**body, "products": lines}
    element = account.data.purchases.create(stored, contact, request.now, behaviour, trigger=trigger)
    request.key = element.key
    return request.stored(purchase_json(element), behaviour.purchase_created_status)


def get(request: ApiRequest) -> ApiResponse:
    """GET /purchases/purchase-id/{purchaseId}."""
    request.key = request.params["purchaseId"]
    return _get(request.account.data.purchases.find(request.key, request.behaviour))


def get_by_id(request: ApiRequest) -> ApiResponse:
    """GET /purchases/{id}."""
    return _get(request.account.data.purchases.storage.find_by_id(request.connectif_id()))


def delete(request: ApiRequest) -> ApiResponse:
    """DELETE /purchases/purchase-id/{purchaseId}."""
    request.key = request.params["purchaseId"]
    return _delete(request, request.account.data.purchases.find(request.key, request.behaviour))


def delete_by_id(request: ApiRequest) -> ApiResponse:
    """DELETE /purchases/{id}."""
    return _delete(request, request.account.data.purchases.storage.find_by_id(request.connectif_id()))


def _checked(request: ApiRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    behaviour = request.behaviour
    refuse_unknown, allow_null = behaviour.unknown_fields == "refuse", behaviour.null_values == "clear"
    required = ("purchaseId", "totalPrice", "products", *split_commas(behaviour.purchase_also_required))
    wrong = violations(
        body, PURCHASE, required=required, refuse_unknown=refuse_unknown, allow_null=allow_null
    )
    if body.get("contactEmail") is None and body.get("contactExternalId") is None:
        wrong.append(Violation("contactEmail", "/contactEmail", "Value is required"))
    lines = body.get("products")
    line_required = ("productId", *split_commas(behaviour.purchase_line_also_required))
    for position, line in enumerate(lines if isinstance(lines, list) else ()):
        at = f"/products/{position}"
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
            wrong.append(Violation(str(position), at))
    if wrong:
        raise unprocessable(wrong)
    return {name: value for name, value in body.items() if name in PURCHASE and value is not None}


def _check_repetition(request: ApiRequest, purchase_id: str) -> None:
    before = request.account.data.purchases.find_even_deleted(purchase_id, request.behaviour)
    if before is not None and (not before.deleted or not request.behaviour.reuse_deleted_purchase_id):
        raise ApiError(409, f"Purchase {purchase_id} already exists.")


def _contact(request: ApiRequest, body: Mapping[str, Any]) -> StoredElement:
    email, external_id = body.get("contactEmail"), body.get("contactExternalId")
    if email is not None and request.behaviour.email_case == "lower":
        email = email.lower()
    contacts = request.account.data.contacts
    found = None
    if external_id is not None:
        found = contacts.find("external-id", external_id)
    if found is None and email is not None:
        found = contacts.find("email", email)
    if found is None:
        raise coded_error("E0101", f"Contact {external_id if email is None else email} does not exist.")
    return found


def _lines(request: ApiRequest, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines as they are stored, each with its product's Connectif id; else E0102 or E0103."""
    products, behaviour = request.account.data.products, request.behaviour
    ids = dict.fromkeys(line["productId"] for line in sent)
    found = {product_id: products.storage.find(product_id) for product_id in ids}
    missing = [product_id for product_id, element in found.items() if element is None]
    if missing:
        listed = missing if behaviour.missing_products_listed == "all" else missing[:1]
        raise coded_error("E0102", f"Product {', '.join(listed)} does not exist.", productIds=listed)
    known = {product_id: element for product_id, element in found.items() if element is not None}
    foreign = [
        line["productId"]
        for line in sent
        if not products.domains.allow(line.get("productDetailUrl", ""), behaviour.domain_match)
    ]
    if foreign:
        shop = behaviour.error_product_ids == "shop"
        listed = list(dict.fromkeys(name if shop else known[name].id for name in foreign))
        raise coded_error(
            "E0103",
            f"Product {', '.join(listed)} had URL from non authorized domain.",
            **{behaviour.error_product_ids_field: listed},
            allowedDomains=products.domains.listed,
        )
    lines = []
    for line in sent:
        kept = {name: value for name, value in line.items() if name in LINE and value is not None}
        lines.append({"id": known[line["productId"]].id, **kept})
        if behaviour.lines_update_catalogue:
            own = ("productId", "quantity", "price")
            changes = {name: value for name, value in kept.items() if name not in own}
            products.patch(line["productId"], changes, request.now)
    return lines


def _get(element: StoredElement | None) -> ApiResponse:
    if element is None:
        raise not_found("Purchase")
    return json_response(purchase_json(element))


def _delete(request: ApiRequest, element: StoredElement | None) -> ApiResponse:
    if element is not None:
        request.key = element.key
        request.account.data.purchases.delete(element, request.now)
    elif request.behaviour.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise not_found("Purchase")
    return NO_CONTENT
