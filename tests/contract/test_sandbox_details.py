"""The words of the custom error codes, and that a client which reads the code needs none of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.connectif.answers import AnswerKind, read_answer
from tests.connectif_sandbox import DOMAIN, EMAIL, LINE, PRODUCT, PURCHASE, Api, running

FOREIGN = {"productDetailUrl": "https://elsewhere.example/cup"}
EXPORT = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO"}


def _check(answer: httpx.Response, code: str, detail: str) -> None:
    assert answer.status_code == 400
    body: dict[str, Any] = answer.json()
    assert (body["code"], body["detail"], body["title"]) == (code, detail, "Bad Request")


async def _products(api: Api) -> None:
    for name in ("p1", "p2"):
        assert (await api.patch(f"/products/product-id/{name}", PRODUCT)).status_code == 200


async def test_e0101_names_the_contact_by_the_key_it_was_given() -> None:
    async with running() as api:
        answer = await api.post("/purchases/", PURCHASE)
        _check(answer, "E0101", f"Contact {EMAIL} does not exist.")
        by_id = {**PURCHASE, "contactEmail": None, "contactExternalId": "ext-7"}
        await api.switch(null_values="clear")
        _check(await api.post("/purchases/", by_id), "E0101", "Contact ext-7 does not exist.")


async def test_e0102_and_e0103_name_the_products() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {})
        foreign = [{**LINE, **FOREIGN, "productId": name} for name in ("p1", "p2")]
        answer = await api.post("/purchases/", {**PURCHASE, "products": foreign})
        _check(answer, "E0102", "Product p1, p2 does not exist.")
        await _products(api)
        answer = await api.post("/purchases/", {**PURCHASE, "products": foreign})
        _check(answer, "E0103", "Product p1, p2 had URL from non authorized domain.")
        assert answer.json()["allowedDomains"] == [DOMAIN]


async def test_e0201_names_no_product() -> None:
    async with running() as api:
        answer = await api.patch("/products/product-id/p1", {**PRODUCT, **FOREIGN})
        _check(answer, "E0201", "Product had URL from non authorized domain.")


@pytest.mark.parametrize("limit", [5, 2])
async def test_e0301_says_how_many_exports_may_wait(limit: int) -> None:
    async with running(max_exports=limit) as api:
        for _ in range(limit):
            await api.post("/exports/", EXPORT)
        _check(
            await api.post("/exports/", EXPORT),
            "E0301",
            f"You have reached the limit of {limit} queued exports. Please try again when any queued export "
            "has been completed or deleted.",
        )


@pytest.mark.parametrize("limit", [10, 2])
async def test_e0401_says_how_many_imports_may_wait(limit: int) -> None:
    async with running(max_imports=limit) as api:
        for _ in range(limit):
            await api.upload("_email\na@mail.example\n")
        _check(
            await api.upload("_email\na@mail.example\n"),
            "E0401",
            f"You have reached the limit of {limit} queued imports. Please try again when any queued import "
            "has been completed.",
        )


async def test_e0501_names_nobody() -> None:
    async with running() as api:
        field = {"id": "mail", "name": "Mail", "type": "email", "isPrimaryKey": True}
        event_type = {
            "name": "A",
            "category": "receive",
            "receiveType": "api",
            "alias": "a",
            "fields": [field],
        }
        assert (await api.post("/custom-event-types/", event_type)).status_code == 201
        _check(await api.post("/custom-events/alias/a", {"mail": EMAIL}), "E0501", "Contact does not exist.")


async def test_the_pipelines_client_reads_the_code_and_keeps_addresses_out_of_its_words() -> None:
    async with running() as api:
        read = read_answer(await api.post("/purchases/", PURCHASE), api.clock.now())
        assert read.kind is AnswerKind.MISSING_CONTACT
        assert read.detail == "400; E0101; Contact <email> does not exist."
        await api.patch(f"/contacts/email/{EMAIL}", {})
        read = read_answer(await api.post("/purchases/", PURCHASE), api.clock.now())
        assert (read.kind, read.ids) == (AnswerKind.MISSING_PRODUCTS, ("p1",))
        answer = await api.patch("/products/product-id/p1", {**PRODUCT, **FOREIGN})
        read = read_answer(answer, api.clock.now())
        assert (read.kind, read.domains) == (AnswerKind.BAD_DOMAIN, (DOMAIN,))
        await api.switch(max_imports=1)
        await api.upload("_email\na@mail.example\n")
        read = read_answer(await api.upload("_email\na@mail.example\n"), api.clock.now())
        assert read.kind is AnswerKind.QUEUE_FULL
