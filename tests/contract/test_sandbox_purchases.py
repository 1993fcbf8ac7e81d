"""Purchases: created once, checked in order, read by both ids, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectif_sandbox import DOMAIN, EMAIL, LINE, OTHER_KEY, PRODUCT, PURCHASE, running


async def test_a_purchase_is_created_with_201_and_a_24_hex_id() -> None:
    async with running() as api:
        answer = await api.post("/purchases/", await api.prepare())
        assert answer.status_code == 201
        body = answer.json()
        assert len(body["id"]) == 24
        assert set(body["id"]) <= set("0123456789abcdef")
        assert body["purchaseId"] == "1001"
        assert body["totalPrice"] == 21
        contact = (await api.get(f"/contacts/{EMAIL}")).json()
        product = (await api.get("/products/product-id/p1")).json()
        assert body["contactId"] == contact["id"]
        assert body["products"][0]["id"] == product["id"]
        assert body["createdAt"] == body["updatedAt"] == "2023-11-14T22:13:20.000Z"


async def test_a_purchase_is_read_by_both_ids() -> None:
    async with running() as api:
        created = await api.buy()
        by_id = await api.get(f"/purchases/{created['id']}")
        by_shop_id = await api.get("/purchases/purchase-id/1001")
        assert by_id.status_code == by_shop_id.status_code == 200
        assert by_id.json() == by_shop_id.json() == created


async def test_an_absent_purchase_is_404_by_both_ids() -> None:
    async with running() as api:
        for path in ("/purchases/purchase-id/none", "/purchases/5cf8c05f5b4cb901091f7d98"):
            answer = await api.get(path)
            assert answer.status_code == 404
            assert answer.json()["title"] == "Not Found"


async def test_a_malformed_connectif_id_is_400_and_a_shops_id_never_is() -> None:
    async with running() as api:
        answer = await api.get("/purchases/not-an-id")
        assert answer.status_code == 400
        assert answer.json()["title"] == "Bad Request"
        assert (await api.get("/purchases/purchase-id/not-an-id")).status_code == 404


async def test_a_repeated_purchase_is_409_in_these_very_words_and_changes_nothing() -> None:
    async with running() as api:
        created = await api.buy()
        answer = await api.post("/purchases/", {**PURCHASE, "totalPrice": 99})
        assert answer.status_code == 409
        assert answer.json() == {
            "status": 409,
            "title": "Conflict",
            "detail": "Purchase 1001 already exists.",
        }
        assert (await api.get("/purchases/purchase-id/1001")).json() == created


async def test_the_same_purchase_id_in_another_account_is_another_purchase() -> None:
    async with running() as api:
        await api.buy()
        await api.patch(f"/contacts/email/{EMAIL}", {}, key=OTHER_KEY)
        await api.patch("/products/product-id/p1", PRODUCT, key=OTHER_KEY)
        assert (await api.post("/purchases/", PURCHASE, key=OTHER_KEY)).status_code == 201


async def test_a_purchase_whose_contact_is_unknown_is_e0101() -> None:
    async with running() as api:
        await api.prepare()
        answer = await api.post("/purchases/", {**PURCHASE, "contactEmail": "nobody@mail.example"})
        assert answer.status_code == 400
        assert answer.json()["code"] == "E0101"
        assert answer.json()["title"] == "Bad Request"
        assert "productIds" not in answer.json()


async def test_a_purchase_can_name_its_contact_by_external_id() -> None:
    async with running() as api:
        body = await api.prepare(contactExternalId="ext-7")
        del body["contactEmail"]
        assert (await api.post("/purchases/", body)).json()["code"] == "E0101"
        await api.patch("/contacts/external-id/ext-7", {})
        assert (await api.post("/purchases/", body)).status_code == 201


async def test_unknown_products_are_e0102_with_all_of_their_ids() -> None:
    async with running() as api:
        lines = [{**LINE, "productId": name} for name in ("p1", "p2", "p3", "p2")]
        answer = await api.post("/purchases/", await api.prepare(products=lines))
        assert answer.status_code == 400
        assert answer.json()["code"] == "E0102"
        assert answer.json()["productIds"] == ["p2", "p3"]
        await api.switch(missing_products_listed="first")
        assert (await api.post("/purchases/", {**PURCHASE, "products": lines})).json()["productIds"] == ["p2"]


async def test_a_line_on_a_foreign_domain_is_e0103_with_ids_and_domains() -> None:
    async with running() as api:
        line = {**LINE, "productDetailUrl": "https://elsewhere.example/cup"}
        body = await api.prepare(products=[line])
        answer = (await api.post("/purchases/", body)).json()
        assert answer["code"] == "E0103"
        assert answer["detail"] == "Product p1 had URL from non authorized domain."
        assert answer["productIds"] == ["p1"]
        assert answer["allowedDomains"] == [DOMAIN]
        await api.switch(error_product_ids_field="productsId", error_product_ids="connectif")
        product = (await api.get("/products/product-id/p1")).json()
        assert (await api.post("/purchases/", body)).json()["productsId"] == [product["id"]]


async def test_a_purchase_is_checked_for_form_repetition_contact_products_domains_in_this_order() -> None:
    async with running() as api:
        wrong: dict[str, Any] = {
            **PURCHASE,
            "contactEmail": "nobody@mail.example",
            "totalPrice": "twenty",
            "products": [{**LINE, "productId": "none", "productDetailUrl": "https://elsewhere.example/x"}],
        }
        await api.buy()

        async def refusal() -> str:
            answer = await api.post("/purchases/", wrong)
            return str(answer.json().get("code", answer.status_code))

        text = await api.call("POST", "/purchases/", content=b"{", headers={"Content-Type": "text/html"})
        assert text.status_code == 415
        assert await refusal() == "422"
        wrong["totalPrice"] = 20
        assert await refusal() == "409"
        wrong["purchaseId"] = "1002"
        assert await refusal() == "E0101"
        wrong["contactEmail"] = EMAIL
        assert await refusal() == "E0102"
        wrong["products"][0]["productId"] = "p1"
        assert await refusal() == "E0103"
        wrong["products"][0]["productDetailUrl"] = f"{DOMAIN}/x"
        assert await refusal() == "201"


async def test_whether_a_repetition_is_seen_before_or_after_the_rest_is_a_switch() -> None:
    async with running() as api:
        await api.buy()
        await api.delete(f"/contacts/email/{EMAIL}")
        assert (await api.post("/purchases/", PURCHASE)).status_code == 409
        await api.switch(repetition_checked="last")
        assert (await api.post("/purchases/", PURCHASE)).json()["code"] == "E0101"
        await api.patch(f"/contacts/email/{EMAIL}", {})
        assert (await api.post("/purchases/", PURCHASE)).status_code == 409


async def test_writes_can_answer_other_success_statuses_and_no_body() -> None:
    async with running(success_bodies="empty", purchase_created_status=200) as api:
        answer = await api.post("/purchases/", await api.prepare())
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await api.patch(f"/contacts/email/{EMAIL}", {})).content == b""
        assert (await api.patch("/products/product-id/p1", {})).content == b""


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"purchaseId": None}, "/purchaseId"),
        ({"purchaseId": 1001}, "/purchaseId"),
        ({"purchaseId": " "}, "/purchaseId"),
        ({"contactEmail": "no address"}, "/contactEmail"),
        ({"contactEmail": None}, "/contactEmail"),
        ({"totalPrice": "21"}, "/totalPrice"),
        ({"totalPrice": True}, "/totalPrice"),
        ({"totalQuantity": 1.5}, "/totalQuantity"),
        ({"purchaseDate": "yesterday"}, "/purchaseDate"),
        ({"purchaseDate": "0000-01-01T00:00:00Z"}, "/purchaseDate"),
        ({"purchaseDate": "0001-01-01T00:00:00+14:00"}, "/purchaseDate"),
        ({"purchaseDate": "9999-12-31T23:00:00-14:00"}, "/purchaseDate"),
        ({"products": None}, "/products"),
        ({"products": {"productId": "p1"}}, "/products"),
        ({"products": ["p1"]}, "/products/0"),
        ({"products": [{**LINE, "quantity": "2"}]}, "/products/0/quantity"),
        ({"products": [LINE, {**LINE, "name": None}]}, "/products/1/name"),
        ({"products": [{**LINE, "productDetailUrl": "cup"}]}, "/products/0/productDetailUrl"),
        ({"products": [{**LINE, "discountedPercentage": 101}]}, "/products/0/discountedPercentage"),
        ({"products": [{**LINE, "categories": "cups"}]}, "/products/0/categories"),
    ],
)
async def test_a_wrong_field_is_422_with_its_pointer(changes: dict[str, Any], path: str) -> None:
    async with running() as api:
        answer = await api.post("/purchases/", await api.prepare(**changes))
        assert answer.status_code == 422
        body = answer.json()
        assert (body["status"], body["title"]) == (422, "Unprocessable entity")
        assert body["detail"] == "One or more validation error occurred."
        assert path in [violation["path"] for violation in body["validationErrors"]]
        assert set(body["validationErrors"][0]) == {"name", "path", "reason"}


async def test_an_array_of_purchases_is_422() -> None:
    async with running() as api:
        body = await api.prepare()
        assert (await api.post("/purchases/", [body])).status_code == 422
        await api.switch(array_body_status=400)
        assert (await api.post("/purchases/", [body])).status_code == 400


async def test_a_body_that_is_not_json_is_400() -> None:
    async with running() as api:
        headers = {"Content-Type": "application/json"}
        assert (await api.call("POST", "/purchases/", content=b"{", headers=headers)).status_code == 400
        await api.switch(malformed_json_status=422)
        assert (await api.call("POST", "/purchases/", content=b"", headers=headers)).status_code == 422


async def test_which_fields_a_purchase_needs_is_a_switch() -> None:
    async with running() as api:
        body = await api.prepare()
        del body["cartId"], body["purchaseDate"]
        assert (await api.post("/purchases/", body)).status_code == 201
        await api.switch(purchase_also_required="totalQuantity,cartId,purchaseDate")
        paths = [
            violation["path"]
            for violation in (await api.post("/purchases/", body)).json()["validationErrors"]
        ]
        assert paths == ["/cartId", "/purchaseDate"]
        await api.switch(purchase_also_required="", purchase_line_also_required="")
        bare = {**body, "purchaseId": "2", "products": [{"productId": "p1"}]}
        del bare["totalQuantity"]
        assert (await api.post("/purchases/", bare)).status_code == 400


async def test_a_purchase_without_a_date_is_dated_now() -> None:
    async with running() as api:
        body = await api.prepare()
        del body["purchaseDate"]
        await api.post("/purchases/", body)
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert contact["_lastPurchaseDate"] == "2023-11-14T22:13:20.000Z"


async def test_totals_are_not_compared_with_the_lines() -> None:
    async with running() as api:
        assert (await api.buy(totalPrice=999.99, totalQuantity=7))["totalPrice"] == 999.99


async def test_a_date_with_an_offset_is_taken() -> None:
    async with running() as api:
        await api.buy(purchaseDate="2026-01-05T10:00:00+02:00")
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert contact["_firstPurchaseDate"] == "2026-01-05T08:00:00.000Z"


async def test_empty_texts_are_taken() -> None:
    async with running() as api:
        line = {**LINE, "customField1": "", "imageUrl": "", "brand": ""}
        assert (await api.buy(products=[line], paymentMethod=""))["products"][0]["customField1"] == ""


async def test_unknown_fields_are_ignored_or_refused() -> None:
    async with running() as api:
        assert "currency" not in await api.buy(currency="EUR")
        await api.switch(unknown_fields="refuse")
        body = {**PURCHASE, "purchaseId": "2", "currency": "EUR"}
        answer = await api.post("/purchases/", body)
        assert answer.json()["validationErrors"][0]["path"] == "/currency"


async def test_null_is_refused_or_stands_for_nothing() -> None:
    async with running() as api:
        body = await api.prepare(cartId=None)
        assert (await api.post("/purchases/", body)).status_code == 422
        await api.switch(null_values="clear")
        assert "cartId" not in (await api.post("/purchases/", body)).json()


async def test_deleting_is_204_without_a_body_and_by_both_ids() -> None:
    async with running() as api:
        await api.buy()
        answer = await api.delete("/purchases/purchase-id/1001")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await api.get("/purchases/purchase-id/1001")).status_code == 404
        created = await api.buy(purchaseId="1002")
        assert (await api.delete(f"/purchases/{created['id']}")).status_code == 204
        assert (await api.get("/purchases/purchase-id/1002")).status_code == 404
        assert (await api.delete("/purchases/not-an-id")).status_code == 400


async def test_deleting_what_is_not_there_is_204_or_404() -> None:
    async with running() as api:
        assert (await api.delete("/purchases/purchase-id/none")).status_code == 204
        await api.switch(delete_absent_status=404)
        assert (await api.delete("/purchases/purchase-id/none")).status_code == 404


async def test_a_deleted_id_can_be_used_again_unless_told_otherwise() -> None:
    async with running() as api:
        first = await api.buy()
        await api.delete("/purchases/purchase-id/1001")
        second = await api.buy(totalPrice=5)
        assert second["id"] != first["id"]
        assert (await api.get(f"/purchases/{first['id']}")).status_code == 404
        await api.delete("/purchases/purchase-id/1001")
        await api.switch(reuse_deleted_purchase_id=False)
        assert (await api.post("/purchases/", PURCHASE)).status_code == 409


@pytest.mark.parametrize(
    ("match", "repeats"),
    [("exact", []), ("trimmed", [" A1 "]), ("folded", [" A1 ", "a1"])],
)
async def test_when_two_purchase_ids_are_the_same_is_a_switch(match: str, repeats: list[str]) -> None:
    async with running(purchase_id_match=match) as api:
        await api.buy(purchaseId="A1")
        conflicts = [
            other
            for other in (" A1 ", "a1")
            if (await api.post("/purchases/", {**PURCHASE, "purchaseId": other})).status_code == 409
        ]
        assert conflicts == repeats


async def test_there_is_no_list_and_no_change_of_purchases() -> None:
    async with running() as api:
        assert (await api.get("/purchases/")).status_code == 405
        assert (await api.patch("/purchases/purchase-id/1001", {})).status_code == 405


async def test_whether_the_purchase_event_was_triggered_stands_in_the_ledger() -> None:
    async with running() as api:
        body = await api.prepare()
        quiet = await api.post("/purchases/?triggerPurchaseEvent=false", body)
        await api.post("/purchases/?triggerPurchaseEvent=true", {**body, "purchaseId": "2"})
        await api.post("/purchases/", {**body, "purchaseId": "3"})
        assert "triggerPurchaseEvent" not in quiet.json()
        items = (await api.control("GET", "ledger?account=acme-es&kind=purchases"))["purchases"]["items"]
        assert [item["body"]["triggerPurchaseEvent"] for item in items] == [False, True, True]
        wrong = await api.post("/purchases/?triggerPurchaseEvent=maybe", {**body, "purchaseId": "4"})
        assert wrong.json()["validationErrors"][0]["path"] == "/triggerPurchaseEvent"


async def test_a_purchase_consumes_an_activity_and_an_untriggered_one_by_a_switch() -> None:
    async with running() as api:
        await api.buy()
        await api.post("/purchases/?triggerPurchaseEvent=false", {**PURCHASE, "purchaseId": "2"})
        assert (await api.stats())["activities"] == {"entity-created": 1, "purchase": 2}
        await api.switch(charge_untriggered_purchases=False)
        await api.post("/purchases/?triggerPurchaseEvent=false", {**PURCHASE, "purchaseId": "3"})
        assert (await api.stats())["activities"]["purchase"] == 2


async def test_a_used_up_allowance_is_403() -> None:
    async with running(activity_allowance=2) as api:
        await api.buy()
        answer = await api.post("/purchases/", {**PURCHASE, "purchaseId": "2"})
        assert answer.status_code == 403
        assert (await api.get("/purchases/purchase-id/2")).status_code == 404


async def test_lines_are_a_snapshot_unless_they_are_told_to_change_the_catalogue() -> None:
    async with running() as api:
        await api.buy(products=[{**LINE, "name": "Mug"}])
        assert (await api.get("/products/product-id/p1")).json()["name"] == "Cup"
        await api.switch(lines_update_catalogue=True)
        await api.post("/purchases/", {**PURCHASE, "purchaseId": "2", "products": [{**LINE, "name": "Mug"}]})
        product = (await api.get("/products/product-id/p1")).json()
        assert product["name"] == "Mug"
        assert "quantity" not in product


async def test_a_body_that_is_too_large_is_413() -> None:
    async with running(max_json_bytes=1_000) as api:
        answer = await api.post("/purchases/", await api.prepare(paymentMethod="x" * 2_000))
        assert answer.status_code == 413
        assert answer.json()["title"] == "Request Entity Too Large"
