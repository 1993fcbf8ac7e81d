"""When a contact left: who sets `_emailLastUnsubscribedDate`, what keeps it, where it can be read."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest

from tests.connectif_sandbox import EMAIL, Api, running

PATH = f"/contacts/email/{EMAIL}"
LEFT = "_emailLastUnsubscribedDate"
IP = "_emailLastUnsubscribedIp"
STATUS = "_newsletterSubscriptionStatus"
START = "2023-11-14T22:13:20.000Z"
DAY_LATER = "2023-11-15T22:13:20.000Z"
LONG_AGO = "2022-03-04T05:06:07.000Z"


async def _contact(api: Api) -> dict[str, Any]:
    return dict((await api.get(PATH)).json())


async def _leaves(api: Api, **order: Any) -> Any:
    return await api.control(
        "POST", "callbacks", {"account": "acme-es", "type": "unsubscribed", "email": EMAIL, **order}
    )


async def _seed(api: Api, **fields: Any) -> Any:
    return await api.control("POST", "seed", {"account": "acme-es", "contacts": {EMAIL: fields}})


async def test_who_never_left_has_no_date() -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "subscribed"})
        contact = await _contact(api)
        assert (contact[LEFT], contact[IP]) == (None, None)


async def test_a_patch_that_unsubscribes_is_dated_and_one_that_says_it_again_is_not() -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "subscribed"})
        await api.clock.advance(86_400)
        assert (await api.patch(PATH, {STATUS: "unsubscribed"})).json()[LEFT] == DAY_LATER
        await api.clock.advance(86_400)
        assert (await api.patch(PATH, {STATUS: "unsubscribed", "_name": "Ana"})).json()[LEFT] == DAY_LATER


@pytest.mark.parametrize("path", [PATH, "/contacts/external-id/7"])
async def test_a_contact_created_as_unsubscribed_left_then(path: str) -> None:
    async with running() as api:
        assert (await api.patch(path, {STATUS: "unsubscribed"})).json()[LEFT] == START


async def test_an_import_that_unsubscribes_is_dated_by_the_moment_of_its_row() -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "subscribed"})
        await api.clock.advance(86_400)
        await api.imported(f"_email,{STATUS}\n{EMAIL},unsubscribed\nnew@mail.example,unsubscribed\n")
        for path in (PATH, "/contacts/email/new@mail.example"):
            contact = (await api.get(path)).json()
            assert (contact[STATUS], contact[LEFT][:10]) == ("unsubscribed", DAY_LATER[:10])


async def test_who_left_may_be_subscribed_again_and_keeps_the_date() -> None:
    async with running() as api:
        await _seed(api, **{STATUS: "unsubscribed", LEFT: LONG_AGO, IP: "203.0.113.7"})
        answer = await api.patch(PATH, {STATUS: "subscribed"})
        assert answer.status_code == 200
        contact = await _contact(api)
        assert (contact[STATUS], contact[LEFT], contact[IP]) == ("subscribed", LONG_AGO, "203.0.113.7")


async def test_who_leaves_once_more_has_the_newer_date_and_not_the_older_address() -> None:
    async with running() as api:
        await _seed(api, **{STATUS: "unsubscribed", LEFT: LONG_AGO, IP: "203.0.113.7"})
        await api.patch(PATH, {STATUS: "subscribed"})
        await api.patch(PATH, {STATUS: "unsubscribed"})
        contact = await _contact(api)
        assert (contact[LEFT], contact[IP]) == (START, None)


@pytest.mark.parametrize("field", [LEFT, IP])
async def test_the_date_and_the_address_are_never_written_by_the_api(field: str) -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "unsubscribed"})
        before = await _contact(api)
        answer = await api.patch(PATH, {field: LONG_AGO})
        assert answer.status_code == 422
        assert answer.json()["validationErrors"][0]["path"] == f"/{field}"
        await api.imported(f"_email,{field}\n{EMAIL},{LONG_AGO}\n")
        await api.switch(unknown_contact_fields="ignore")
        assert (await api.patch(PATH, {field: LONG_AGO})).status_code == 200
        assert (await _contact(api))[field] == before[field]


async def test_a_person_can_leave_in_connectif_without_a_shop_hearing_of_it() -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "subscribed"})
        report = await _leaves(api, ip="203.0.113.7")
        assert (report["url"], report["attempts"], report["ok"]) == (None, 0, False)
        contact = await _contact(api)
        assert (contact[STATUS], contact[LEFT], contact[IP]) == ("unsubscribed", START, "203.0.113.7")


async def test_nobody_leaves_who_is_not_there() -> None:
    async with running() as api:
        body = {"account": "acme-es", "type": "unsubscribed", "email": EMAIL}
        assert (await api.client.post("/_sandbox/callbacks", json=body)).status_code == 404
        assert (await api.stats())["activities"] == {}


@pytest.mark.parametrize("at", [LONG_AGO, "2022-03-04T07:06:07+02:00", "2022-03-04T05:06:07"])
async def test_a_person_can_have_left_long_ago(at: str) -> None:
    async with running() as api:
        await api.patch(PATH, {STATUS: "unsubscribed"})
        await _leaves(api, at=at)
        contact = await _contact(api)
        assert (contact[STATUS], contact[LEFT]) == ("unsubscribed", LONG_AGO)


@pytest.mark.parametrize(
    "order",
    [
        {"at": "long ago"},
        {"at": 7},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"type": "subscribed", "at": LONG_AGO},
    ],
)
async def test_a_moment_that_is_none_or_has_no_use_is_422(order: dict[str, Any]) -> None:
    async with running() as api:
        body = {"account": "acme-es", "type": "unsubscribed", "email": EMAIL, **order}
        assert (await api.client.post("/_sandbox/callbacks", json=body)).status_code == 422


async def test_exports_of_contacts_and_the_ledger_tell_when_somebody_left() -> None:
    async with running() as api:
        await _seed(api, **{STATUS: "unsubscribed", LEFT: LONG_AGO, IP: "203.0.113.7"})
        (item,) = (await api.control("GET", "ledger?account=acme-es&kind=contacts"))["contacts"]["items"]
        assert (item["body"][LEFT], item["body"][IP]) == (LONG_AGO, "203.0.113.7")
        request = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO"}
        created = (await api.post("/exports", request)).json()
        await api.clock.advance(10)
        finished = (await api.get(f"/exports/{created['id']}")).json()
        content = (await api.client.get(finished["fileUrl"])).content
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            text = packed.read(packed.namelist()[0]).decode()
        (row,) = csv.DictReader(io.StringIO(text))
        assert (row[LEFT], row[IP]) == (LONG_AGO, "203.0.113.7")
