"""/store, /workflows, /coupon-sets, /contact-fields: what an account is set up with."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import not_found
from pipeline.sandbox.connectif.model.definitions import check_contact_field


def get_store(request: ApiRequest) -> ApiResponse:
    """GET /store/."""
    account = request.account
    return json_response(
        {
            "id": account.data.id,
            "name": account.name,
            "currency": account.settings.currency,
            "timezone": "UTC",
            "authorizedDomains": account.data.products.domains.listed,
        }
    )


def list_workflows(request: ApiRequest) -> ApiResponse:
    """GET /workflows/: each account has one."""
    return json_response(request.page([_workflow(request)], "/workflows/"))


def get_workflow(request: ApiRequest) -> ApiResponse:
    """GET /workflows/{id}."""
    if request.connectif_id() != request.account.data.workflow_id:
        raise not_found("Workflow")
    return json_response(_workflow(request))


def _workflow(request: ApiRequest) -> dict[str, Any]:
    return {"id": request.account.data.workflow_id, "name": "Sandbox workflow", "status": "active"}


def list_coupon_sets(request: ApiRequest) -> ApiResponse:
    """GET /coupon-sets/."""
    lag = request.account.simulation.scaled(request.behaviour.coupon_lag_seconds)
    page = request.page(request.account.data.coupon_sets.all(), "/coupon-sets/")
    page["results"] = [one.to_json(request.now, lag) for one in page["results"]]
    return json_response(page)


def get_coupon_set(request: ApiRequest) -> ApiResponse:
    """GET /coupon-sets/{id}."""
    found = request.account.data.coupon_sets.find(request.connectif_id())
    if found is None:
        raise not_found("Coupon set")
    return json_response(
        found.to_json(request.now, request.account.simulation.scaled(request.behaviour.coupon_lag_seconds))
    )


def list_contact_fields(request: ApiRequest) -> ApiResponse:
    """GET /contact-fields/."""
    return json_response(request.page(request.account.data.contact_fields.all(), "/contact-fields/"))


def create_contact_field(request: ApiRequest) -> ApiResponse:
    """POST /contact-fields/."""
    body = request.document()
    check_contact_field(body, request.account.data.contact_fields)
    return json_response(request.account.data.contact_fields.add(body, request.now), 201)


def get_contact_field(request: ApiRequest) -> ApiResponse:
    """GET /contact-fields/{id}; the id is the field's own, not one of Connectif's."""
    found = request.account.data.contact_fields.find(request.params["id"])
    if found is None:
        raise not_found("Contact field")
    return json_response(found)


def delete_contact_field(request: ApiRequest) -> ApiResponse:
    """DELETE /contact-fields/{id}."""
    if not request.account.data.contact_fields.delete(request.params["id"]):
        raise not_found("Contact field")
    return NO_CONTENT
