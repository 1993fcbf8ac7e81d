"""Store, workflows, coupon sets, contact fields, custom events and what defines them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectif_sandbox import DOMAIN, EMAIL, Api, running

KEY_FIELD = {"id": "mail", "name": "Mail", "type": "email", "isPrimaryKey": True, "required": True}
EVENT_TYPE = {
    "name": "Booking",
    "category": "receive",
    "receiveType": "api",
    "alias": "booking",
    "fields": [
        KEY_FIELD,
        {"id": "nights", "name": "Nights", "type": "integer"},
    ],
}


async def _event(api: Api, body: dict[str, Any], query: str = "", alias: str = "booking") -> Any:
    return await api.post(f"/custom-events/alias/{alias}{query}", body)


async def test_the_store_names_itself_its_currency_and_its_domains() -> None:
    async with running() as api:
        store = (await api.get("/store/")).json()
        assert (store["name"], store["currency"], store["authorizedDomains"]) == ("acme-es", "EUR", [DOMAIN])


async def test_there_is_one_workflow_to_list_and_read() -> None:
    async with running() as api:
        (workflow,) = (await api.get("/workflows/")).json()["results"]
        assert (await api.get(f"/workflows/{workflow['id']}")).json() == workflow
        assert (await api.get("/workflows/6072374b4d3ceb76e44d4323")).status_code == 404


async def test_coupon_sets_are_listed_and_read_but_not_written() -> None:
    async with running() as api:
        made = await api.control(
            "POST", "coupon-sets", {"account": "acme-es", "name": "Ten", "codes": ["A", "B"]}
        )
        page = (await api.get("/coupon-sets/")).json()
        assert page["links"] == {"next": None, "prev": None}
        assert made in page["results"]
        shown = (await api.get(f"/coupon-sets/{made['id']}")).json()
        assert (shown["name"], shown["type"], shown["quantity"], shown["assigned"]) == (
            "Ten",
            "multiple",
            2,
            0,
        )
        assert "code" not in shown
        assert (await api.post("/coupon-sets/", {})).status_code == 405
        assert (await api.delete(f"/coupon-sets/{made['id']}")).status_code == 405
        assert (await api.get("/coupon-sets/6072374b4d3ceb76e44d4323")).status_code == 404


async def test_every_account_has_a_coupon_set_from_the_start() -> None:
    async with running() as api:
        (found,) = (await api.get("/coupon-sets/")).json()["results"]
        assert (found["type"], found["available"]) == ("multiple", 0)
        assert len(found["usedInWorkflows"]) == 1


async def test_a_single_set_has_its_code_and_may_be_unlimited() -> None:
    async with running() as api:
        seed = {"account": "acme-es", "type": "single", "code": "TEN"}
        shown = await api.control("POST", "coupon-sets", seed)
        assert (shown["code"], shown["quantity"], shown["available"]) == ("TEN", None, None)
        limited = await api.control("POST", "coupon-sets", {**seed, "quantity": 5, "assigned": 2})
        assert (limited["quantity"], limited["assigned"], limited["available"]) == (5, 2, 3)
        assert (await api.upload("code\nA\n", "coupons", couponSetId=shown["id"])).status_code == 422


async def test_a_coupon_sets_counters_lag_ten_seconds() -> None:
    async with running(import_queue_seconds=0) as api:
        (found,) = (await api.get("/coupon-sets/")).json()["results"]
        await api.upload("code\nA\n", "coupons", couponSetId=found["id"])
        await api.clock.advance(5)
        assert (await api.get(f"/coupon-sets/{found['id']}")).json()["quantity"] == 0
        await api.clock.advance(5)
        assert (await api.get(f"/coupon-sets/{found['id']}")).json()["quantity"] == 1


async def test_a_contact_field_is_defined_listed_read_and_deleted() -> None:
    async with running() as api:
        created = await api.post("/contact-fields/", {"id": "shoe_size", "type": "integer"})
        assert created.status_code == 201
        assert (await api.get("/contact-fields/shoe_size")).json() == created.json()
        assert (await api.get("/contact-fields/")).json()["results"] == [created.json()]
        assert (await api.post("/contact-fields/", {"id": "shoe_size", "type": "text"})).status_code == 409
        assert (await api.delete("/contact-fields/shoe_size")).status_code == 204
        assert (await api.get("/contact-fields/shoe_size")).status_code == 404
        assert (await api.delete("/contact-fields/shoe_size")).status_code == 404


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({"type": "text"}, "/id"),
        ({"id": "a"}, "/type"),
        ({"id": "id", "type": "text"}, "/id"),
        ({"id": "1a", "type": "text"}, "/id"),
        ({"id": "_a", "type": "text"}, "/id"),
        ({"id": "a b", "type": "text"}, "/id"),
        ({"id": "a" * 151, "type": "text"}, "/id"),
        ({"id": "a", "type": "number"}, "/type"),
        ({"id": "a", "type": "phone"}, "/defaultCountryCode"),
        ({"id": "a", "type": "radio"}, "/options"),
        ({"id": "a", "type": "checkbox", "options": [{"id": "x"}]}, "/options"),
        ({"id": "a", "type": "radio", "options": [{"id": "x" * 151, "label": "X"}]}, "/options"),
        (
            {"id": "a", "type": "radio", "options": [{"id": f"{n}", "label": ""} for n in range(121)]},
            "/options",
        ),
        ({"id": "a", "type": "text", "required": True}, "/defaultValue"),
    ],
)
async def test_a_wrong_contact_field_is_422(definition: dict[str, Any], path: str) -> None:
    async with running() as api:
        answer = await api.post("/contact-fields/", definition)
        assert answer.status_code == 422
        assert path in [violation["path"] for violation in answer.json()["validationErrors"]]


async def test_at_most_140_contact_fields_are_defined() -> None:
    async with running() as api:
        for number in range(140):
            answer = await api.post("/contact-fields/", {"id": f"a-{number}[x]", "type": "text"})
            assert answer.status_code == 201
        assert (await api.post("/contact-fields/", {"id": "one-more", "type": "text"})).status_code == 422


async def test_a_custom_event_is_fired_by_alias_and_by_id_with_201() -> None:
    async with running() as api:
        created = (await api.post("/custom-event-types/", EVENT_TYPE)).json()
        await api.patch(f"/contacts/email/{EMAIL}", {})
        by_alias = await _event(api, {"mail": EMAIL, "nights": 2})
        by_id = await api.post(f"/custom-events/id/{created['id']}", {"mail": EMAIL})
        assert by_alias.status_code == by_id.status_code == 201
        assert by_alias.json()["id"] != by_id.json()["id"]
        assert (await api.stats())["activities"]["custom-event"] == 2


async def test_a_custom_event_of_an_unknown_contact_is_e0501_unless_it_may_create_it() -> None:
    async with running() as api:
        await api.post("/custom-event-types/", EVENT_TYPE)
        answer = await _event(api, {"mail": EMAIL})
        assert (answer.status_code, answer.json()["code"]) == (400, "E0501")
        assert (await _event(api, {"mail": EMAIL}, "?createContact=true")).status_code == 201
        assert (await api.get(f"/contacts/email/{EMAIL}")).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"nights": 2}, {"mail": "no"}, {"mail": EMAIL, "nights": "2"}, {"mail": EMAIL, "rooms": 1}]
)
async def test_a_custom_event_is_checked_strictly(body: dict[str, Any]) -> None:
    async with running() as api:
        await api.post("/custom-event-types/", EVENT_TYPE)
        assert (await _event(api, body, "?createContact=true")).status_code == 422


async def test_an_unknown_alias_is_404_and_a_body_over_512_kb_413() -> None:
    async with running() as api:
        await api.post("/custom-event-types/", EVENT_TYPE)
        assert (await _event(api, {"mail": EMAIL}, alias="nothing")).status_code == 404
        assert (await _event(api, {"mail": "x" * 512 * 1024})).status_code == 413
        assert (await api.post("/custom-events/id/17", {})).status_code == 400


async def test_custom_event_types_live_on_their_own_and_under_an_integration() -> None:
    async with running() as api:
        integration = (await api.post("/custom-integrations/", {"name": "Hotel"})).json()
        nested = f"/custom-integrations/{integration['id']}/custom-event-types/"
        one = (await api.post("/custom-event-types/", EVENT_TYPE)).json()
        other = (await api.post(nested, {**EVENT_TYPE, "alias": "checkout"})).json()
        assert (await api.get("/custom-event-types/")).json()["results"] == [one, other]
        assert (await api.get(nested)).json()["results"] == [other]
        assert (await api.get(f"/custom-event-types/{one['id']}")).json() == one
        assert (await api.post("/custom-event-types/", EVENT_TYPE)).status_code == 409
        assert (await api.delete(f"/custom-event-types/{one['id']}")).status_code == 204
        assert (await api.get(f"/custom-event-types/{one['id']}")).status_code == 404
        absent = "/custom-integrations/6072374b4d3ceb76e44d4323/custom-event-types/"
        assert (await api.post(absent, {**EVENT_TYPE, "alias": "x"})).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "listen"},
        {"alias": None},
        {"fields": []},
        {"fields": ["mail"]},
        {"fields": [{"id": "mail", "name": "Mail", "type": "text", "isPrimaryKey": True}]},
        {"fields": [{"id": "mail", "name": "Mail", "type": "email"}]},
        {"fields": [{"id": "mail", "name": "Mail", "type": "email"}], "receiveType": "webhook"},
        {"fields": [KEY_FIELD, {**KEY_FIELD, "id": "other"}], "receiveType": "browser"},
        {"fields": [{"id": "mail", "type": "email", "isPrimaryKey": True}]},
        {"fields": [KEY_FIELD, {"id": "nights", "type": "integer"}]},
        {"category": "send"},
    ],
)
async def test_a_wrong_custom_event_type_is_422(changes: dict[str, Any]) -> None:
    async with running() as api:
        assert (await api.post("/custom-event-types/", {**EVENT_TYPE, **changes})).status_code == 422


async def test_only_events_by_webhook_or_api_want_a_primary_key_and_others_do_not_come_by_api() -> None:
    async with running() as api:
        fields = [{"id": "nights", "name": "Nights", "type": "integer"}]
        created = await api.post(
            "/custom-event-types/", {**EVENT_TYPE, "receiveType": "browser", "fields": fields}
        )
        assert created.status_code == 201
        assert (await _event(api, {"nights": 2})).status_code == 404
        assert (await api.post(f"/custom-events/id/{created.json()['id']}", {})).status_code == 404


async def test_custom_integrations_are_made_changed_listed_and_deleted() -> None:
    async with running() as api:
        made = (await api.post("/custom-integrations/", {"name": "Hotel", "eventsEnabled": True})).json()
        path = f"/custom-integrations/{made['id']}"
        changed = await api.patch(path, {"description": "Rooms"})
        assert (changed.json()["name"], changed.json()["description"]) == ("Hotel", "Rooms")
        assert (await api.get("/custom-integrations/")).json()["results"] == [changed.json()]
        assert (await api.post("/custom-integrations/", {})).status_code == 422
        assert (await api.patch(path, {"id": "x"})).status_code == 422
        assert (await api.delete(path)).status_code == 204
        assert (await api.get(path)).status_code == 404
