"""Every route: method, path, the scope its key needs, and its handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import ApiResponse, http_error_response
from pipeline.sandbox.connectif.http.routes import (
    contacts,
    events,
    exports,
    imports,
    products,
    purchases,
    store,
)
from pipeline.sandbox.connectif.model.api_errors import ApiError

Handler = Callable[[ApiRequest], ApiResponse]


class ApiRoute(NamedTuple):
    """One route; `number` is what the call log stores of it."""

    number: int
    method: str
    template: str
    scope: str
    handler: Handler


_ROWS: tuple[tuple[str, str, str, Handler], ...] = (
    ("GET", "/store/", "store:read", store.get_store),
    ("GET", "/contacts/email/{email}", "contacts:read", contacts.get_by_email),
    ("PATCH", "/contacts/email/{email}", "contacts:write", contacts.patch_by_email),
    ("DELETE", "/contacts/email/{email}", "contacts:delete", contacts.delete_by_email),
    ("GET", "/contacts/external-id/{externalId}", "contacts:read", contacts.get_by_external_id),
    ("PATCH", "/contacts/external-id/{externalId}", "contacts:write", contacts.patch_by_external_id),
    ("DELETE", "/contacts/external-id/{externalId}", "contacts:delete", contacts.delete_by_external_id),
    ("GET", "/contacts/{email}", "contacts:read", contacts.get_by_email),
    ("PATCH", "/contacts/{email}", "contacts:write", contacts.patch_by_email),
    ("DELETE", "/contacts/{email}", "contacts:delete", contacts.delete_by_email),
    ("GET", "/contact-fields/", "contact-fields:read", store.list_contact_fields),
    ("POST", "/contact-fields/", "contact-fields:write", store.create_contact_field),
    ("GET", "/contact-fields/{id}", "contact-fields:read", store.get_contact_field),
    ("DELETE", "/contact-fields/{id}", "contact-fields:delete", store.delete_contact_field),
    ("PATCH", "/products/product-id/{productId}", "products:write", products.patch),
    ("GET", "/products/product-id/{productId}", "products:read", products.get),
    ("DELETE", "/products/product-id/{productId}", "products:delete", products.delete),
    ("GET", "/products/{id}", "products:read", products.get_by_id),
    ("DELETE", "/products/{id}", "products:delete", products.delete_by_id),
    ("POST", "/purchases/", "purchases:write", purchases.create),
    ("GET", "/purchases/purchase-id/{purchaseId}", "purchases:read", purchases.get),
    ("DELETE", "/purchases/purchase-id/{purchaseId}", "purchases:delete", purchases.delete),
    ("GET", "/purchases/{id}", "purchases:read", purchases.get_by_id),
    ("DELETE", "/purchases/{id}", "purchases:delete", purchases.delete_by_id),
    ("POST", "/imports/", "imports:write", imports.create),
    ("GET", "/imports/", "imports:read", imports.get_all),
    ("GET", "/imports/{id}", "imports:read", imports.get),
    ("DELETE", "/imports/{id}", "imports:delete", imports.delete),
    ("POST", "/exports/", "exports:write", exports.create),
    ("POST", "/exports/type/data-explorer", "exports:write", exports.create_report),
    ("GET", "/exports/", "exports:read", exports.get_all),
    ("GET", "/exports/{id}", "exports:read", exports.get),
    ("DELETE", "/exports/{id}", "exports:delete", exports.delete),
    ("GET", "/coupon-sets/", "coupon-sets:read", store.list_coupon_sets),
    ("GET", "/coupon-sets/{id}", "coupon-sets:read", store.get_coupon_set),
    ("GET", "/workflows/", "workflows:read", store.list_workflows),
    ("GET", "/workflows/{id}", "workflows:read", store.get_workflow),
    ("POST", "/custom-events/alias/{alias}", "custom-events:write", events.create_by_alias),
    ("POST", "/custom-events/id/{id}", "custom-events:write", events.create_by_id),
    ("GET", "/custom-event-types/", "custom-event-types:read", events.list_types),
    ("POST", "/custom-event-types/", "custom-event-types:write", events.create_type),
    ("GET", "/custom-event-types/{id}", "custom-event-types:read", events.get_type),
    ("DELETE", "/custom-event-types/{id}", "custom-event-types:delete", events.delete_type),
    ("GET", "/custom-integrations/", "custom-integrations:read", events.list_integrations),
    ("POST", "/custom-integrations/", "custom-integrations:write", events.create_integration),
    ("GET", "/custom-integrations/{id}", "custom-integrations:read", events.get_integration),
    ("PATCH", "/custom-integrations/{id}", "custom-integrations:write", events.patch_integration),
    ("DELETE", "/custom-integrations/{id}", "custom-integrations:delete", events.delete_integration),
    (
        "GET",
        "/custom-integrations/{integration}/custom-event-types/",
        "custom-event-types:read",
        events.list_types,
    ),
    (
        "POST",
        "/custom-integrations/{integration}/custom-event-types/",
        "custom-event-types:write",
        events.create_type,
    ),
)
ROUTES = tuple(ApiRoute(number, *row) for number, row in enumerate(_ROWS))
IMPORT = next(route for route in ROUTES if route.handler is imports.create)


def _no_such_route(_: ApiRequest) -> ApiResponse:
    raise ApiError(404, "There is no such route.")


def _wrong_method(_: ApiRequest) -> ApiResponse:
    return http_error_response(405, "The method is not allowed here.")


NO_ROUTE = ApiRoute(len(ROUTES), "", "(no route)", "", _no_such_route)
WRONG_METHOD = ApiRoute(len(ROUTES) + 1, "", "(wrong method)", "", _wrong_method)
ALL_ROUTES = (*ROUTES, NO_ROUTE, WRONG_METHOD)


class _Pattern(NamedTuple):
    parts: tuple[bytes | str, ...]
    """Literal parts as bytes, names of parameters as text."""
    by_method: dict[str, ApiRoute]


def _patterns() -> dict[tuple[int, bytes], list[_Pattern]]:
    found: dict[tuple[int, bytes], dict[tuple[bytes | str, ...], _Pattern]] = {}
    for route in ROUTES:
        parts = tuple(
            part[1:-1] if part.startswith("{") else part.encode()
            for part in route.template.strip("/").split("/")
        )
        shape = (len(parts), route.template.split("/")[1].encode())
        same = found.setdefault(shape, {}).setdefault(parts, _Pattern(parts, {}))
        same.by_method[route.method] = route
    return {shape: list(patterns.values()) for shape, patterns in found.items()}


_PATTERNS = _patterns()


def match(method: str, raw_path: bytes) -> tuple[ApiRoute, dict[str, str]]:
    """The route of a path, with or without a slash at its end, and its parameters.

    The path is split before it is decoded: an encoded slash belongs to its parameter.

    Raises:
        ApiError: 400 for a parameter that is not UTF-8.
    """
    parts = raw_path.split(b"/")[1:]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    for pattern in _PATTERNS.get((len(parts), parts[0] if parts else b""), ()):
        params = _params(pattern.parts, parts)
        if params is not None:
            route = pattern.by_method.get(method)
            return (route, params) if route is not None else (WRONG_METHOD, {})
    return NO_ROUTE, {}


def _params(pattern: tuple[bytes | str, ...], parts: list[bytes]) -> dict[str, str] | None:
    params = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if isinstance(wanted, bytes):
            if wanted != part:
                return None
        elif not part:
            return None
        else:
            params[wanted] = part
    return {name: _decoded(part) for name, part in params.items()}


def _decoded(part: bytes) -> str:
    try:
        return (unquote_to_bytes(part) if b"%" in part else part).decode()
    except UnicodeDecodeError:
        raise ApiError(400, "The path is not valid UTF-8.") from None
