"""/store, /workflows, /coupon-sets, /contact-fields: what an account is set up with."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, Answer, absent, ok
from pipeline.sandbox.connectif.model.definitions import check_contact_field


def get_store(call: Call) -> Answer:
    """GET /store/."""
    account = call.account
    return ok(
        {
            "id": account.id,
            "name": account.name,
            "currency": account.settings.currency,
            "timezone": "UTC",
            "authorizedDomains": account.products.domains.listed,
        }
    )


def list_workflows(call: Call) -> Answer:
    """GET /workflows/: each account has one."""
    return ok(call.page([_workflow(call)], "/workflows/"))


def get_workflow(call: Call) -> Answer:
    """GET /workflows/{id}."""
    if call.connectif_id() != call.account.workflow_id:
        raise absent("Workflow")
    return ok(_workflow(call))


def _workflow(call: Call) -> dict[str, Any]:
    return {"id": call.account.workflow_id, "name": "Sandbox workflow", "status": "active"}


def list_coupon_sets(call: Call) -> Answer:
    """GET /coupon-sets/."""
    lag = call.account.world.scaled(call.switches.coupon_lag_seconds)
    page = call.page(call.account.coupon_sets.all(), "/coupon-sets/")
    page["results"] = [one.shown(call.now, lag) for one in page["results"]]
    return ok(page)


def get_coupon_set(call: Call) -> Answer:
    """GET /coupon-sets/{id}."""
    found = call.account.coupon_sets.find(call.connectif_id())
    if found is None:
        raise absent("Coupon set")
    return ok(found.shown(call.now, call.account.world.scaled(call.switches.coupon_lag_seconds)))


def list_contact_fields(call: Call) -> Answer:
    """GET /contact-fields/."""
    return ok(call.page(call.account.contact_fields.all(), "/contact-fields/"))


def create_contact_field(call: Call) -> Answer:
    """POST /contact-fields/."""
    body = call.document()
    check_contact_field(body, call.account.contact_fields)
    return ok(call.account.contact_fields.add(body, call.now), 201)


def get_contact_field(call: Call) -> Answer:
    """GET /contact-fields/{id}; the id is the field's own, not one of Connectif's."""
    found = call.account.contact_fields.find(call.params["id"])
    if found is None:
        raise absent("Contact field")
    return ok(found)


def delete_contact_field(call: Call) -> Answer:
    """DELETE /contact-fields/{id}."""
    if not call.account.contact_fields.drop(call.params["id"]):
        raise absent("Contact field")
    return NO_CONTENT
