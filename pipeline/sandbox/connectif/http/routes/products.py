"""/products: one product per call."""

from __future__ import annotations

from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, Answer, absent, custom, ok, unprocessable
from pipeline.sandbox.connectif.model.field_types import names, violations
from pipeline.sandbox.connectif.model.products import PRODUCT
from pipeline.sandbox.connectif.model.storage import Entry


def patch(call: Call) -> Answer:
    """PATCH /products/product-id/{productId}: create or change."""
    changes = call.document()
    products, switches = call.account.products, call.switches
    product_id = call.key = call.params["productId"]
    if changes.get("productId") == product_id:
        del changes["productId"]
    known = products.shelf.find(product_id) is not None
    wrong = violations(
        changes,
        PRODUCT,
        required=() if known else names(switches.product_required),
        refuse_unknown=switches.unknown_fields == "refuse",
        allow_null=switches.null_values == "clear",
    )
    if wrong:
        raise unprocessable(wrong)
    url = changes.get("productDetailUrl")
    if url is not None and not products.domains.allow(url, switches.domain_match):
        raise custom(
            "E0201",
            "Product had URL from non authorized domain.",
            allowedDomains=products.domains.listed,
        )
    kept = {name: value for name, value in changes.items() if name in PRODUCT}
    entry, created = products.patch(product_id, kept, call.now)
    return call.stored(entry.json, switches.patch_created_status if created else 200)


def get(call: Call) -> Answer:
    """GET /products/product-id/{productId}."""
    return _get(call.account.products.shelf.find(call.params["productId"]))


def get_by_id(call: Call) -> Answer:
    """GET /products/{id}."""
    return _get(call.account.products.shelf.by_id(call.connectif_id()))


def delete(call: Call) -> Answer:
    """DELETE /products/product-id/{productId}."""
    return _delete(call, call.account.products.shelf.find(call.params["productId"]))


def delete_by_id(call: Call) -> Answer:
    """DELETE /products/{id}."""
    return _delete(call, call.account.products.shelf.by_id(call.connectif_id()))


def _get(entry: Entry | None) -> Answer:
    if entry is None:
        raise absent("Product")
    return ok(entry.json)


def _delete(call: Call, entry: Entry | None) -> Answer:
    if entry is not None:
        call.key = entry.key
        call.account.products.shelf.drop(entry, call.now)
    elif call.switches.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise absent("Product")
    return NO_CONTENT
