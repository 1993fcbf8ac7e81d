"""/products: one product per call."""

from __future__ import annotations

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import coded_error, not_found, unprocessable
from pipeline.sandbox.connectif.model.field_types import split_commas, violations
from pipeline.sandbox.connectif.model.products import PRODUCT
from pipeline.sandbox.connectif.model.storage import StoredElement


def patch(request: ApiRequest) -> ApiResponse:
    """PATCH /products/product-id/{productId}: create or change."""
    changes = request.document()
    products, behaviour = request.account.data.products, request.behaviour
    product_id = request.key = request.params["productId"]
    if changes.get("productId") == product_id:
        del changes["productId"]
    known = products.storage.find(product_id) is not None
    wrong = violations(
        changes,
        PRODUCT,
        required=() if known else split_commas(behaviour.product_required),
        refuse_unknown=behaviour.unknown_fields == "refuse",
        allow_null=behaviour.null_values == "clear",
    )
    if wrong:
        raise unprocessable(wrong)
    url = changes.get("productDetailUrl")
    if url is not None and not products.domains.allow(url, behaviour.domain_match):
        raise coded_error(
            "E0201",
            "Product had URL from non authorized domain.",
            allowedDomains=products.domains.listed,
        )
    kept = {name: value for name, value in changes.items() if name in PRODUCT}
    element, created = products.patch(product_id, kept, request.now)
    return request.stored(element.json, behaviour.patch_created_status if created else 200)


def get(request: ApiRequest) -> ApiResponse:
    """GET /products/product-id/{productId}."""
    return _get(request.account.data.products.storage.find(request.params["productId"]))


def get_by_id(request: ApiRequest) -> ApiResponse:
    """GET /products/{id}."""
    return _get(request.account.data.products.storage.find_by_id(request.connectif_id()))


def delete(request: ApiRequest) -> ApiResponse:
    """DELETE /products/product-id/{productId}."""
    return _delete(request, request.account.data.products.storage.find(request.params["productId"]))


def delete_by_id(request: ApiRequest) -> ApiResponse:
    """DELETE /products/{id}."""
    return _delete(request, request.account.data.products.storage.find_by_id(request.connectif_id()))


def _get(element: StoredElement | None) -> ApiResponse:
    if element is None:
        raise not_found("Product")
    return json_response(element.json)


def _delete(request: ApiRequest, element: StoredElement | None) -> ApiResponse:
    if element is not None:
        request.key = element.key
        request.account.data.products.storage.delete(element, request.now)
    elif request.behaviour.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise not_found("Product")
    return NO_CONTENT
