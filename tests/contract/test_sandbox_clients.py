"""Requests as clients written by others send them to the real API: none may notice it is a sandbox.

The clients: connectif-importer and connectif-2-gc-storage (node-fetch), connectif-2-g-sheet (axios), timbal
(httpx), yii2-connectife (curl), newsletter forwarders (fetch), and a shop's back-fill script (requests).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.connectif_sandbox import EMAIL, KEY, LINE, PRODUCT, PURCHASE, Api, running

BOUNDARY = "--------------------------515890814546601021194782"
TIMBAL = {"Accept": "application/json", "Content-Type": "application/json"}


def _parts(fields: list[tuple[str, str]], csv: bytes) -> list[bytes]:
    """The pieces in which the form-data library writes a form whose file is a stream."""
    pieces: list[bytes] = []
    for name, value in fields:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pieces += [head.encode(), value.encode(), b"\r\n"]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file.csv"\r\n'
    pieces += [head.encode() + b"Content-Type: text/csv\r\n\r\n"]
    pieces += [csv[place : place + 64] for place in range(0, len(csv), 64)]
    return [*pieces, b"\r\n", f"--{BOUNDARY}--\r\n".encode()]


async def _importer(api: Api, kind: str, csv: bytes, coupon_set: str = "") -> httpx.Response:
    fields = [
        ("type", kind),
        ("delimiter", ","),
        ("overrideExisting", "true"),
        ("updateOnlyEmptyFields", "false"),
    ]
    if coupon_set:
        fields.append(("couponSetId", coupon_set))

    async def body() -> AsyncIterator[bytes]:
        for piece in _parts(fields, csv):
            yield piece

    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return await api.call("POST", "/imports", content=body(), headers=headers)


async def _poll(api: Api, import_id: str) -> dict[str, Any]:
    """As connectif-importer does: on until `finished` or `error`, whatever else it reads."""
    for _ in range(100):
        shown = (await api.get(f"/imports/{import_id}")).json()
        assert isinstance(shown["success"] + shown["errors"], int)
        if shown["status"] in ("finished", "error"):
            return dict(shown)
        await api.clock.advance(2)
    raise AssertionError("the import never ended")


async def test_connectif_importer_uploads_in_chunks_polls_and_reads_its_summary() -> None:
    async with running() as api:
        csv = b"_email,_name,_surname\njohn.doe@example.org,John,Doe\nnobody,No,Body\n"
        answer = await _importer(api, "contacts", csv)
        assert answer.is_success
        assert "content-length" not in answer.request.headers
        assert answer.json()["total"] == 2
        ended = await _poll(api, answer.json()["id"])
        assert (ended["status"], ended["success"], ended["errors"]) == ("finished", 1, 1)
        assert (await api.client.get(ended["errorReportFileUrl"])).status_code == 200
        contact = (await api.get("/contacts/email/john.doe@example.org")).json()
        assert (contact["_name"], contact["_surname"]) == ("John", "Doe")


async def test_connectif_importer_sends_products_and_coupons_the_same_way() -> None:
    async with running() as api:
        csv = b"productDetailUrl,productId,name,unitPrice\nhttps://acme.example/a,1,A,10\n"
        products = await _importer(api, "products", csv)
        assert (await _poll(api, products.json()["id"]))["success"] == 1
        (coupon_set,) = (await api.get("/coupon-sets/")).json()["results"]
        coupons = await _importer(api, "coupons", b"code\nTEN\n", coupon_set["id"])
        assert (await _poll(api, coupons.json()["id"]))["success"] == 1


async def test_connectif_importer_prints_the_text_of_a_401() -> None:
    async with running() as api:
        answer = await api.client.post("/imports", headers={"Authorization": "apiKey myApiKey"})
        assert f"{answer.status_code} - {answer.text}" == "401 - Unauthorized"


async def test_connectif_2_gc_storage_asks_for_exports_and_follows_the_link_without_the_key() -> None:
    async with running() as api:
        await api.buy()
        for path, body in (
            (
                "/exports",
                {
                    "exportType": "activities",
                    "delimiter": ",",
                    "dateFormat": "ISO",
                    "filters": {
                        "toDate": "2023-11-30",
                        "fromDate": "2023-11-01",
                        "activityType": ["purchase"],
                    },
                },
            ),
            ("/exports", {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO", "filters": {}}),
            (
                "/exports/type/data-explorer",
                {
                    "delimiter": ",",
                    "filters": {
                        "reportId": "643e76bfc1d60cb6ca7832fb",
                        "fromDate": "2022-10-05",
                        "toDate": "2022-10-15",
                    },
                },
            ),
        ):
            created = await api.post(path, body)
            assert created.is_success, created.text
            while True:
                shown = (await api.get(f"/exports/{created.json()['id']}")).json()
                assert {"status", "total", "progress"} <= shown.keys()
                if shown["status"] == "finished":
                    break
                await api.clock.advance(1)
            download = await api.client.get(shown["fileUrl"])
            assert "authorization" not in download.request.headers
            with zipfile.ZipFile(io.BytesIO(download.content)) as packed:
                # Its reader unpacks while it reads: no folders, and sizes before the data.
                assert all("/" not in info.filename for info in packed.infolist())
                assert not any(info.flag_bits & 0x08 for info in packed.infolist())


async def test_connectif_2_gc_storage_reads_detail_and_validation_errors_of_a_422() -> None:
    async with running() as api:
        filters = {"segmentId": "notAnObjectId"}
        body = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO", "filters": filters}
        answer = await api.post("/exports", body)
        assert answer.status_code == 422
        assert "application/json" in answer.headers["Content-Type"]
        wrong = answer.json()
        text = f"{wrong['detail']}" + "".join(
            f"\n{one['path']}: {one['reason']}" for one in wrong["validationErrors"]
        )
        assert text == "One or more validation error occurred.\n/filters/segmentId: Value is not valid"


async def test_connectif_2_g_sheet_waits_only_while_queued() -> None:
    async with running() as api:
        headers = {"Content-Type": "application/json", "Authorization": f"apiKey {KEY}"}
        body = {
            "delimiter": ";",
            "filters": {
                "fromDate": "2026-01-01",
                "reportId": "643e76bfc1d60cb6ca7832fb",
                "toDate": "2026-01-31",
            },
        }
        created = await api.client.post("/exports/type/data-explorer", json=body, headers=headers)
        while True:
            shown = (await api.client.get(f"/exports/{created.json()['id']}", headers=headers)).json()
            if shown["status"] != "queued":
                break
            await api.clock.advance(3)
        assert (await api.client.get(shown["fileUrl"])).status_code == 200


async def test_timbal_sends_a_content_type_with_empty_bodies_and_encodes_whole_paths() -> None:
    async with running() as api:

        async def call(method: str, path: str, **request: Any) -> Any:
            answer = await api.call(method, path, headers=TIMBAL, **request)
            answer.raise_for_status()
            return answer.json() if answer.content else {}

        await call("GET", "/store/")
        email = "ana%2Bshop%40mail.example"
        await call("PATCH", f"/contacts/email/{email}", json={"_name": "Ana"})
        assert (await call("GET", f"/contacts/email/{email}"))["_email"] == "ana+shop@mail.example"
        await call("PATCH", "/contacts/external-id/a%2Fb", json={"_surname": "Ruiz"})
        assert (await call("GET", "/contacts/external-id/a%2Fb"))["_externalId"] == "a/b"
        product = await call("PATCH", "/products/product-id/p%2F1", json=PRODUCT)
        line = {**LINE, "productId": "p/1"}
        purchase = {**PURCHASE, "contactEmail": "ana+shop@mail.example", "products": [line]}
        created = await call("POST", "/purchases/", params={"triggerPurchaseEvent": False}, json=purchase)
        assert (await call("GET", f"/purchases/{created['id']}"))["purchaseId"] == "1001"
        assert await call("DELETE", f"/purchases/{created['id']}") == {}
        assert await call("DELETE", f"/products/{product['id']}") == {}
        assert await call("DELETE", f"/contacts/email/{email}") == {}
        for path in (
            "/contact-fields/",
            "/workflows/",
            "/coupon-sets/",
            "/custom-event-types/",
            "/imports/",
            "/exports/",
            "/custom-integrations/",
        ):
            assert await call("GET", path) == {
                "links": {"next": None, "prev": None},
                "results": [],
            } or path in (
                "/workflows/",
                "/coupon-sets/",
            )
        with pytest.raises(httpx.HTTPStatusError, match="415"):
            await call("POST", "/imports/", json={"type": "contacts"})


async def test_yii2_sends_an_array_as_the_body_of_get_and_delete() -> None:
    async with running() as api:
        await api.buy()
        headers = {
            "Accept": "application/json, application/json",
            "Content-Type": "application/json;charset=UTF-8",
        }
        for method, status in (("GET", 200), ("DELETE", 204)):
            answer = await api.call(method, "/purchases/purchase-id/1001", content=b"[]", headers=headers)
            assert answer.status_code == status
        answer = await api.call("POST", "/purchases/", content=json.dumps(PURCHASE), headers=headers)
        assert answer.status_code == 201
        assert (await api.call("POST", "/purchases/", content=b"[]", headers=headers)).status_code == 422


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain;charset=UTF-8"}, {"Content-Type": "application/json"}, {}]
)
async def test_a_newsletter_forwarder_sends_json_as_text_to_the_older_path(headers: dict[str, str]) -> None:
    async with running() as api:
        body = {
            "_emailStatus": "active",
            "_name": "Ana",
            "_surname": "Ruiz",
            "_newsletterSubscriptionStatus": "subscribed",
        }
        answer = await api.call("PATCH", f"/contacts/{EMAIL}", content=json.dumps(body), headers=headers)
        assert answer.is_success
        assert answer.json()["_newsletterSubscriptionStatus"] == "subscribed"


@pytest.mark.parametrize(("accepted", "status"), [("json", 415), ("json_or_text", 200), ("any", 200)])
async def test_whether_text_is_taken_for_json_is_a_switch(accepted: str, status: int) -> None:
    async with running(accept_json_as=accepted) as api:
        headers = {"Content-Type": "text/plain"}
        answer = await api.call("PATCH", f"/contacts/{EMAIL}", content=b"{}", headers=headers)
        assert answer.status_code == status


async def test_a_forms_content_type_is_not_taken_for_json_by_default() -> None:
    async with running() as api:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await api.call("PATCH", f"/contacts/{EMAIL}", content=b"{}", headers=headers)
        assert answer.status_code == 415


async def test_a_back_fill_script_deletes_by_the_older_path_and_wants_bodies_of_success() -> None:
    async with running() as api:
        await api.patch(f"/contacts/{EMAIL}", {})
        product = await api.patch("/products/product-id/p1", {**PRODUCT, "customField1": ""})
        # It drops a line whose product is not in the catalogue and leaves the total as it was.
        purchase = {**PURCHASE, "purchaseDate": "2026-01-05T10:00:00+02:00", "totalPrice": 80}
        created = await api.post("/purchases/", purchase)
        assert product.content
        assert created.content
        assert (await api.delete(f"/contacts/{EMAIL}")).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/store"),
        ("GET", "/imports"),
        ("GET", "/exports"),
        ("GET", "/coupon-sets"),
        ("GET", "/workflows"),
        ("GET", "/contact-fields"),
        ("GET", "/custom-event-types"),
        ("GET", "/custom-integrations"),
        ("GET", "/purchases/purchase-id/1001"),
        ("GET", f"/contacts/email/{EMAIL}"),
        ("POST", "/purchases"),
        ("POST", "/imports"),
        ("POST", "/exports"),
        ("POST", "/exports/type/data-explorer"),
    ],
)
async def test_both_slash_forms_answer_directly(method: str, path: str) -> None:
    async with running() as api:
        await api.buy()
        bare = await api.call(method, path, content=b"{}", headers={"Content-Type": "application/json"})
        slashed = await api.call(
            method, f"{path}/", content=b"{}", headers={"Content-Type": "application/json"}
        )
        assert bare.status_code == slashed.status_code
        assert not bare.is_redirect
        assert bare.status_code != 404
