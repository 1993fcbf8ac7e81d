"""Contacts: three paths, two keys, what may be set, what their purchases amount to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectif_sandbox import EMAIL, PURCHASE, running


@pytest.mark.parametrize("path", ["/contacts/email/ana%40mail.example", "/contacts/ana@mail.example"])
async def test_a_patch_creates_a_contact_by_either_form_of_path(path: str) -> None:
    async with running() as api:
        answer = await api.patch(path, {"_name": "Ana", "_newsletterSubscriptionStatus": "subscribed"})
        assert answer.status_code == 200
        assert answer.json()["_email"] == EMAIL
        for other in ("/contacts/email/ana@mail.example", "/contacts/ana%40mail.example"):
            contact = (await api.get(other)).json()
            assert contact["_name"] == "Ana"
            assert contact["_newsletterSubscriptionStatus"] == "subscribed"


async def test_a_creating_patch_can_answer_201() -> None:
    async with running(patch_created_status=201) as api:
        assert (await api.patch(f"/contacts/email/{EMAIL}", {})).status_code == 201
        assert (await api.patch(f"/contacts/email/{EMAIL}", {})).status_code == 200


async def test_a_patch_changes_only_the_given_fields() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana", "_points": 3})
        await api.patch(f"/contacts/email/{EMAIL}", {"_surname": "Ruiz"})
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert (contact["_name"], contact["_surname"], contact["_points"]) == ("Ana", "Ruiz", 3)


async def test_a_fresh_contact_has_its_read_only_fields() -> None:
    async with running() as api:
        contact = (await api.patch(f"/contacts/email/{EMAIL}", {})).json()
        assert contact["_totalPurchases"] == 0
        assert contact["_emailStatus"] == "active"
        assert contact["_newsletterSubscriptionStatus"] == "none"
        assert contact["_isAnonymous"] is False
        assert contact["_churnRate"] is None
        assert contact["_createdAt"] == "2023-11-14T22:13:20.000Z"
        assert len(contact["id"]) == 24


@pytest.mark.parametrize(
    "changes",
    [
        {"_name": 1},
        {"_birthdate": "the fifth of May"},
        {"_mobilePhone": "600 111 222"},
        {"_mobilePhoneStatus": "banned"},
        {"_emailStatus": "unknown"},
        {"_newsletterSubscriptionStatus": True},
        {"_smsSubscriptionStatus": "maybe"},
        {"_points": "3"},
        {"_points": 1.5},
        {"_externalId": "x" * 51},
        {"_externalId": ""},
        {"_name": None},
        {"_createdAt": "2020-01-01T00:00:00Z"},
        {"nickname": "Annie"},
    ],
)
async def test_what_a_field_does_not_take_is_422(changes: dict[str, Any]) -> None:
    async with running() as api:
        answer = await api.patch(f"/contacts/email/{EMAIL}", changes)
        assert answer.status_code == 422
        assert answer.json()["validationErrors"][0]["path"] == f"/{next(iter(changes))}"
        assert (await api.get(f"/contacts/email/{EMAIL}")).status_code == 404


async def test_every_documented_field_is_taken() -> None:
    async with running() as api:
        fields = {
            "_name": "Ana",
            "_surname": "Ruiz",
            "_birthdate": "1990-05-01T00:00:00Z",
            "_mobilePhone": "+34600111222",
            "_mobilePhoneStatus": "paused",
            "_emailStatus": "bounced",
            "_newsletterSubscriptionStatus": "unsubscribed",
            "_smsSubscriptionStatus": "subscribed",
            "_points": 0,
            "_externalId": "x" * 50,
        }
        contact = (await api.patch(f"/contacts/email/{EMAIL}", fields)).json()
        assert {name: contact[name] for name in fields} == fields
        assert contact["_emailLastUnsubscribedDate"] == "2023-11-14T22:13:20.000Z"


async def test_unknown_contact_fields_can_be_ignored() -> None:
    async with running(unknown_contact_fields="ignore") as api:
        contact = (await api.patch(f"/contacts/email/{EMAIL}", {"nickname": "Annie"})).json()
        assert "nickname" not in contact


async def test_null_can_clear_a_field() -> None:
    async with running(null_values="clear") as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        assert "_name" not in (await api.patch(f"/contacts/email/{EMAIL}", {"_name": None})).json()


async def test_a_defined_custom_field_is_taken_and_checked_by_its_type() -> None:
    async with running() as api:
        options = [{"id": "red", "label": "Red"}, {"id": "blue", "label": "Blue"}]
        for definition in (
            {"id": "shoe_size", "type": "integer", "name": "Shoe size"},
            {"id": "colours", "type": "checkbox", "options": options},
            {"id": "club", "type": "boolean"},
        ):
            assert (await api.post("/contact-fields/", definition)).status_code == 201
        good = {"shoe_size": 38, "colours": ["red"], "club": True}
        contact = (await api.patch(f"/contacts/email/{EMAIL}", good)).json()
        assert {name: contact[name] for name in good} == good
        for bad in ({"shoe_size": "38"}, {"colours": ["green"]}, {"club": "yes"}):
            assert (await api.patch(f"/contacts/email/{EMAIL}", bad)).status_code == 422


async def test_a_contact_by_external_id_can_have_no_email_and_get_one_later() -> None:
    async with running() as api:
        created = (await api.patch("/contacts/external-id/ext%2F7", {"_name": "Ana"})).json()
        assert created["_externalId"] == "ext/7"
        assert "_email" not in created
        changed = (await api.patch("/contacts/external-id/ext%2F7", {"_email": EMAIL})).json()
        assert changed["id"] == created["id"]
        assert (await api.get(f"/contacts/email/{EMAIL}")).json()["id"] == created["id"]


async def test_a_contact_is_never_merged_with_another() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {})
        await api.patch("/contacts/external-id/ext-7", {})
        for path, changes in (
            (f"/contacts/email/{EMAIL}", {"_externalId": "ext-7"}),
            ("/contacts/external-id/ext-7", {"_email": EMAIL}),
        ):
            answer = await api.patch(path, changes)
            assert answer.status_code == 422
            await api.switch(duplicate_key_status=409)
            assert (await api.patch(path, changes)).status_code == 409
            await api.switch(duplicate_key_status=422)


async def test_a_changed_external_id_frees_the_old_one() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_externalId": "old"})
        await api.patch(f"/contacts/email/{EMAIL}", {"_externalId": "new"})
        assert (await api.get("/contacts/external-id/old")).status_code == 404
        assert (await api.get("/contacts/external-id/new")).status_code == 200


async def test_email_addresses_are_lower_cased_unless_told_otherwise() -> None:
    async with running() as api:
        await api.patch("/contacts/email/ANA@Mail.example", {})
        assert (await api.get(f"/contacts/email/{EMAIL}")).status_code == 200
        await api.switch(email_case="keep")
        await api.patch("/contacts/email/EVA@mail.example", {})
        assert (await api.get("/contacts/email/eva@mail.example")).status_code == 404


@pytest.mark.parametrize("email", ["ana", "ana@", "@mail.example", "a b@mail.example", "ana@mail", "x" * 300])
async def test_an_address_that_cannot_be_one_is_422(email: str) -> None:
    async with running() as api:
        assert (await api.patch(f"/contacts/email/{email}", {})).status_code == 422


@pytest.mark.parametrize("path", [f"/contacts/email/{EMAIL}", f"/contacts/{EMAIL}"])
async def test_a_contact_is_deleted_by_either_form_of_path(path: str) -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_externalId": "ext-7"})
        answer = await api.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await api.get(path)).status_code == 404
        assert (await api.get("/contacts/external-id/ext-7")).status_code == 404


async def test_a_contact_is_deleted_by_external_id() -> None:
    async with running() as api:
        await api.patch("/contacts/external-id/ext-7", {})
        assert (await api.delete("/contacts/external-id/ext-7")).status_code == 204
        assert (await api.get("/contacts/external-id/ext-7")).status_code == 404


async def test_deleting_a_contact_keeps_its_purchases() -> None:
    async with running() as api:
        await api.buy()
        await api.delete(f"/contacts/email/{EMAIL}")
        assert (await api.get("/purchases/purchase-id/1001")).status_code == 200
        await api.patch(f"/contacts/email/{EMAIL}", {})
        assert (await api.get(f"/contacts/email/{EMAIL}")).json()["_totalPurchases"] == 0
        assert (await api.delete("/purchases/purchase-id/1001")).status_code == 204


async def test_purchases_are_added_up_when_created_and_when_deleted() -> None:
    async with running() as api:
        await api.buy(totalPrice=10.1)
        later = {"purchaseId": "2", "totalPrice": 20.2, "purchaseDate": "2026-02-01T00:00:00Z"}
        await api.post("/purchases/", {**PURCHASE, **later})
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert contact["_totalPurchases"] == 2
        assert contact["_totalPurchasesAmount"] == 30.3
        assert contact["_averagePurchasesAmount"] == 15.15
        assert contact["_firstPurchaseDate"] == "2026-01-05T10:00:00.000Z"
        assert contact["_lastPurchaseDate"] == "2026-02-01T00:00:00.000Z"
        await api.delete("/purchases/purchase-id/1001")
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert contact["_totalPurchases"] == 1
        assert contact["_firstPurchaseDate"] == contact["_lastPurchaseDate"] == "2026-02-01T00:00:00.000Z"


async def test_the_sum_of_many_purchases_stays_exact_when_one_is_deleted() -> None:
    async with running() as api:
        await api.prepare()
        for number in range(20):
            await api.post("/purchases/", {**PURCHASE, "purchaseId": str(number), "totalPrice": 0.1})
        await api.delete("/purchases/purchase-id/7")
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert (contact["_totalPurchases"], contact["_totalPurchasesAmount"]) == (19, 1.9)


async def test_creating_a_contact_consumes_an_activity_and_changing_it_does_not() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {})
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        assert (await api.stats())["activities"] == {"entity-created": 1}


async def test_there_is_no_list_of_contacts_and_no_put() -> None:
    async with running() as api:
        assert (await api.get("/contacts/")).status_code == 404
        assert (await api.call("PUT", f"/contacts/email/{EMAIL}", json={})).status_code == 405
