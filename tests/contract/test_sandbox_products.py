"""Products: one per call, only given fields changed, authorised domains."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectif_sandbox import DOMAIN, LINE, OTHER_KEY, PRODUCT, running

PATH = "/products/product-id/p1"


async def test_a_patch_creates_a_product_with_its_defaults_and_answers_it() -> None:
    async with running() as api:
        answer = await api.patch(PATH, PRODUCT)
        assert answer.status_code == 200
        body = answer.json()
        assert body["productId"] == "p1"
        assert body["availability"] == "instock"
        assert body["isBlacklisted"] is False
        assert body["priority"] == 0
        assert len(body["id"]) == 24


async def test_a_patch_changes_only_the_given_fields() -> None:
    async with running() as api:
        await api.patch(PATH, {**PRODUCT, "brand": "Acme"})
        await api.patch(PATH, {"unitPrice": 12, "availability": "outofstock", "isBlacklisted": True})
        body = (await api.get(PATH)).json()
        assert (body["brand"], body["name"], body["unitPrice"]) == ("Acme", "Cup", 12)
        assert (body["availability"], body["isBlacklisted"]) == ("outofstock", True)


@pytest.mark.parametrize("missing", ["name", "productDetailUrl", "unitPrice"])
async def test_a_new_product_needs_name_url_and_price(missing: str) -> None:
    async with running() as api:
        body = {name: value for name, value in PRODUCT.items() if name != missing}
        answer = await api.patch(PATH, body)
        assert answer.status_code == 422
        assert answer.json()["validationErrors"][0]["path"] == f"/{missing}"
        await api.switch(product_required="")
        assert (await api.patch(PATH, body)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"unitPrice": "10"},
        {"productDetailUrl": "/cup"},
        {"productDetailUrl": "ftp://acme.example/cup"},
        {"availability": "discontinued"},
        {"discountedPercentage": 100.1},
        {"rating": 6},
        {"categories": "cups"},
        {"tags": [1]},
        {"publishedAt": "2026-13-01"},
        {"inStockUnits": 1.5},
        {"isBlacklisted": "true"},
        {"ratingCount": True},
    ],
)
async def test_what_a_field_does_not_take_is_422(changes: dict[str, Any]) -> None:
    async with running() as api:
        answer = await api.patch(PATH, {**PRODUCT, **changes})
        assert answer.status_code == 422
        assert answer.json()["validationErrors"][0]["name"] == next(iter(changes))


async def test_every_documented_field_is_taken() -> None:
    async with running() as api:
        fields = {
            **PRODUCT,
            "productDetailUrl": f"{DOMAIN}/tazas y más/ñ",
            "unitPriceOriginal": 12,
            "unitPriceWithoutVAT": 8.68,
            "discountedAmount": 1.5,
            "discountedPercentage": 12.5,
            "availability": "instock",
            "imageUrl": "https://cdn.example/a.jpg",
            "thumbnailUrl": "",
            "description": "",
            "brand": "Acme",
            "categories": ["Home/Kitchen"],
            "tags": [],
            "relatedExternalProductIds": ["p2"],
            "publishedAt": "2026-01-01T00:00:00+01:00",
            "inStockUnits": 0,
            "isBlacklisted": False,
            "priority": 3,
            "rating": 4.5,
            "ratingCount": 2,
            "reviewCount": 1,
            "customField1": "",
            "customField2": "b",
            "customField3": "c",
        }
        assert (await api.patch(PATH, fields)).status_code == 200
        body = (await api.get(PATH)).json()
        assert {name: body[name] for name in fields} == fields


async def test_a_url_on_a_foreign_domain_is_e0201_with_the_allowed_domains() -> None:
    async with running() as api:
        answer = await api.patch(PATH, {**PRODUCT, "productDetailUrl": "https://elsewhere.example/cup"})
        assert answer.status_code == 400
        assert answer.json()["code"] == "E0201"
        assert answer.json()["allowedDomains"] == [DOMAIN]
        assert (await api.get(PATH)).status_code == 404


async def test_an_account_without_listed_domains_takes_every_url() -> None:
    async with running() as api:
        body = {**PRODUCT, "productDetailUrl": "https://elsewhere.example/cup"}
        assert (await api.patch(PATH, body, key=OTHER_KEY)).status_code == 200


@pytest.mark.parametrize(
    ("match", "url", "allowed"),
    [
        ("host", "http://acme.example:8080/cup", True),
        ("host", "https://ACME.example/cup", True),
        ("host", "https://www.acme.example/cup", False),
        ("host", "https://notacme.example/cup", False),
        ("subdomain", "https://www.acme.example/cup", True),
        ("subdomain", "https://notacme.example/cup", False),
        ("origin", "https://acme.example:443/cup", True),
        ("origin", "http://acme.example/cup", False),
        ("origin", "https://acme.example:8443/cup", False),
    ],
)
async def test_how_domains_are_compared_is_a_switch(match: str, url: str, allowed: bool) -> None:
    async with running(domain_match=match) as api:
        answer = await api.patch(PATH, {**PRODUCT, "productDetailUrl": url})
        assert (answer.status_code == 200) == allowed


async def test_a_product_is_read_and_deleted_by_both_ids() -> None:
    async with running() as api:
        created = (await api.patch(PATH, PRODUCT)).json()
        assert (await api.get(PATH)).json() == (await api.get(f"/products/{created['id']}")).json() == created
        assert (await api.delete(f"/products/{created['id']}")).status_code == 204
        assert (await api.get(PATH)).status_code == 404
        await api.patch(PATH, PRODUCT)
        assert (await api.delete(PATH)).status_code == 204
        assert (await api.get(PATH)).status_code == 404
        assert (await api.get("/products/not-an-id")).status_code == 400


async def test_a_deleted_product_is_missing_for_purchases() -> None:
    async with running() as api:
        await api.buy()
        await api.delete(PATH)
        answer = await api.post("/purchases/", {**(await api.prepare()), "purchaseId": "2"})
        assert answer.status_code == 201
        await api.delete(PATH)
        body = {**LINE, "productId": "p1"}
        purchase = {"purchaseId": "3", "contactEmail": "ana@mail.example", "totalPrice": 1}
        answer = await api.post("/purchases/", {**purchase, "totalQuantity": 1, "products": [body]})
        assert answer.json()["code"] == "E0102"


@pytest.mark.parametrize("product_id", ["a/b", "a b", "ñ", "a%b", "100%", "a?b", "日本", "a+b"])
async def test_an_encoded_product_id_is_taken_as_it_is(product_id: str) -> None:
    async with running() as api:
        encoded = "".join(f"%{byte:02X}" for byte in product_id.encode())
        created = await api.patch(f"/products/product-id/{encoded}", PRODUCT)
        assert created.json()["productId"] == product_id
        assert (await api.get(f"/products/product-id/{encoded}")).status_code == 200


async def test_a_path_that_is_not_utf8_is_400() -> None:
    async with running() as api:
        assert (await api.get("/products/product-id/%FF")).status_code == 400
