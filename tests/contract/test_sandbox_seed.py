"""What Connectif holds before the first call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectif_sandbox import EMAIL, OTHER_KEY, PRODUCT, PURCHASE, running

CONTACT = f"/contacts/email/{EMAIL}"


def _seed(**what: Any) -> dict[str, Any]:
    return {"account": "acme-es", **what}


async def test_seeded_contacts_and_products_are_there_without_a_call_or_an_activity() -> None:
    async with running() as api:
        contacts = {EMAIL.upper(): {"_name": "Ana", "_externalId": "7"}, "eva@mail.example": {}}
        done = await api.control("POST", "seed", _seed(contacts=contacts, products={"p1": PRODUCT}))
        assert done == {"account": "acme-es", "contacts": 2, "products": 1}
        stats = await api.stats()
        assert (stats["calls_total"], stats["activities"]) == (0, {})
        assert (await api.get("/contacts/external-id/7")).json()["_email"] == EMAIL
        assert (await api.get("/products/product-id/p1")).json()["name"] == "Cup"
        assert (await api.post("/purchases/", PURCHASE)).status_code == 201
        assert (await api.get(CONTACT, key=OTHER_KEY)).status_code == 404


async def test_a_seed_changes_what_is_there() -> None:
    async with running() as api:
        await api.patch(CONTACT, {"_name": "Ana", "_externalId": "7"})
        await api.control("POST", "seed", _seed(contacts={EMAIL: {"_surname": "Ruiz", "_externalId": "7"}}))
        contact = (await api.get(CONTACT)).json()
        assert (contact["_name"], contact["_surname"]) == ("Ana", "Ruiz")


async def test_a_contact_seeded_as_unsubscribed_left_then_or_when_it_is_said() -> None:
    async with running() as api:
        left = {"_newsletterSubscriptionStatus": "unsubscribed"}
        dated = {**left, "_emailLastUnsubscribedDate": "2022-01-01T01:00:00+01:00"}
        await api.control("POST", "seed", _seed(contacts={EMAIL: left, "eva@mail.example": dated}))
        dates = [
            (await api.get(f"/contacts/email/{email}")).json()["_emailLastUnsubscribedDate"]
            for email in (EMAIL, "eva@mail.example")
        ]
        assert dates == ["2023-11-14T22:13:20.000Z", "2022-01-01T00:00:00.000Z"]


async def test_a_contact_seeded_as_subscribed_may_have_left_before() -> None:
    async with running() as api:
        fields = {
            "_newsletterSubscriptionStatus": "subscribed",
            "_emailLastUnsubscribedDate": "2022-01-01T00:00:00Z",
        }
        await api.control("POST", "seed", _seed(contacts={EMAIL: fields}))
        contact = (await api.get(CONTACT)).json()
        assert contact["_newsletterSubscriptionStatus"] == "subscribed"
        assert contact["_emailLastUnsubscribedDate"] == "2022-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ({"contacts": {"ana": {}}}, "/contacts/ana"),
        ({"contacts": {EMAIL: {"_points": "3"}}}, f"/contacts/{EMAIL}/_points"),
        ({"contacts": {EMAIL: {"nickname": "Annie"}}}, f"/contacts/{EMAIL}/nickname"),
        (
            {"contacts": {EMAIL: {"_emailLastUnsubscribedDate": "once"}}},
            f"/contacts/{EMAIL}/_emailLastUnsubscribedDate",
        ),
        (
            {"contacts": {EMAIL: {"_externalId": "7"}, "eva@mail.example": {"_externalId": "7"}}},
            "/contacts/eva@mail.example/_externalId",
        ),
        ({"contacts": {EMAIL: {"_externalId": "taken"}}}, f"/contacts/{EMAIL}/_externalId"),
        ({"products": {"p1": {"name": "Cup"}}}, "/products/p1/productDetailUrl"),
        (
            {"products": {"p1": {**PRODUCT, "productDetailUrl": "https://elsewhere.example/cup"}}},
            "/products/p1/productDetailUrl",
        ),
    ],
)
async def test_a_wrong_seed_is_422_with_its_pointer_and_stores_nothing(
    what: dict[str, Any], path: str
) -> None:
    async with running() as api:
        await api.patch("/contacts/email/other@mail.example", {"_externalId": "taken"})
        good = {"contacts": {"first@mail.example": {}, **what.get("contacts", {})}}
        answer = await api.client.post("/_sandbox/seed", json=_seed(**{**what, **good}))
        assert answer.status_code == 422
        assert path in [violation["path"] for violation in answer.json()["validationErrors"]]
        assert (await api.get("/contacts/email/first@mail.example")).status_code == 404


async def test_a_seed_for_nobody_is_404_and_one_of_another_shape_422() -> None:
    async with running() as api:
        assert (await api.client.post("/_sandbox/seed", json={"account": "nobody"})).status_code == 404
        wrong = _seed(purchases={})
        assert (await api.client.post("/_sandbox/seed", json=wrong)).status_code == 422
