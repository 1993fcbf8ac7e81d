"""Exports: the request, progress, links, and what is in the ZIPs."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest

from tests.connectif_sandbox import EMAIL, PURCHASE, Api, running

CONTACTS = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO", "filters": {}}
ACTIVITIES = {
    "exportType": "activities",
    "delimiter": ",",
    "dateFormat": "ISO",
    "filters": {"fromDate": "2023-11-01", "toDate": "2023-12-01", "activityTypes": ["purchase"]},
}
EXPORT_ERROR = {"effect": "export_error", "method": "POST", "rows": 1, "count": 1}
REPORT = {
    "delimiter": ";",
    "filters": {"reportId": "643e76bfc1d60cb6ca7832fb", "fromDate": "2026-01-01", "toDate": "2026-01-31"},
}


async def _finished(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    created = await api.post(path, body)
    assert created.status_code == 201, created.text
    await api.clock.advance(10)
    return dict((await api.get(f"/exports/{created.json()['id']}")).json())


async def _files(api: Api, finished: dict[str, Any]) -> dict[str, str]:
    answer = await api.client.get(finished["fileUrl"])
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        return {info.filename: packed.read(info).decode() for info in packed.infolist()}


async def test_an_export_is_created_with_201_and_queued_without_a_link() -> None:
    async with running() as api:
        answer = await api.post("/exports", CONTACTS)
        assert answer.status_code == 201
        body = answer.json()
        assert (body["status"], body["exportType"], body["version"]) == ("queued", "contacts", "v1")
        assert "fileUrl" not in body
        assert "finishedAt" not in body


async def test_a_finished_export_has_a_fresh_link_at_each_get_for_100_minutes() -> None:
    async with running() as api:
        finished = await _finished(api, "/exports/", CONTACTS)
        again = (await api.get(f"/exports/{finished['id']}")).json()
        assert finished["status"] == "finished"
        assert finished["fileUrl"] != again["fileUrl"]
        await api.clock.advance(100 * 60 - 1)
        assert (await api.client.get(finished["fileUrl"])).status_code == 200
        await api.clock.advance(1)
        assert (await api.client.get(finished["fileUrl"])).status_code == 403
        fresh = (await api.get(f"/exports/{finished['id']}")).json()
        assert (await api.client.get(fresh["fileUrl"])).status_code == 200


async def test_an_export_shows_itself_in_progress_only_when_switched_on() -> None:
    async with running(export_queue_seconds=2) as api:
        created = await api.post("/exports/", CONTACTS)
        await api.clock.advance(2)
        assert (await api.get(f"/exports/{created.json()['id']}")).json()["status"] == "finished"
        await api.switch(export_in_progress_seconds=5)
        created = await api.post("/exports/", CONTACTS)
        await api.clock.advance(3)
        shown = (await api.get(f"/exports/{created.json()['id']}")).json()
        assert shown["status"] == "inProgress"
        assert "fileUrl" not in shown


async def test_an_export_can_end_in_error_and_no_longer_waits() -> None:
    async with running(max_exports=1, export_in_progress_seconds=5) as api:
        for number in range(3):
            await api.patch(f"/contacts/email/{number}@mail.example", {})
        await api.control("POST", "faults", [EXPORT_ERROR])
        failed = await _finished(api, "/exports/", CONTACTS)
        assert (failed["status"], failed["progress"], failed["total"]) == ("error", 1, 3)
        assert "fileUrl" not in failed
        assert "finishedAt" in failed
        (listed,) = (await api.get("/exports")).json()["results"]
        assert listed == failed
        good = await _finished(api, "/exports/", CONTACTS)
        assert (good["status"], good["progress"]) == ("finished", 3)
        assert (await api.delete(f"/exports/{failed['id']}")).status_code == 204


async def test_a_report_can_end_in_error() -> None:
    async with running() as api:
        await api.control("POST", "faults", [{"effect": "export_error", "route": "/exports/type/*"}])
        assert (await _finished(api, "/exports/type/data-explorer", REPORT))["status"] == "error"
        assert (await _finished(api, "/exports/", CONTACTS))["status"] == "finished"


async def test_an_activities_export_holds_the_purchases_and_their_lines() -> None:
    async with running() as api:
        await api.buy()
        finished = await _finished(api, "/exports/", ACTIVITIES)
        assert (finished["total"], finished["progress"]) == (1, 1)
        files = await _files(api, finished)
        assert list(files) == [f"{finished['fileName']}.csv", f"{finished['fileName']}-products.csv"]
        activities, lines = (list(csv.DictReader(io.StringIO(text))) for text in files.values())
        assert activities[0]["purchaseId"] == "1001"
        assert activities[0]["contactEmail"] == EMAIL
        assert activities[0]["purchaseDate"] == "2026-01-05T10:00:00.000Z"
        assert (lines[0]["productId"], lines[0]["quantity"]) == ("p1", "2")
        assert lines[0]["_activityId"] == activities[0]["_id"]


async def test_whether_activities_carry_the_shops_purchase_id_is_a_switch() -> None:
    async with running(export_purchase_id=False) as api:
        await api.buy()
        text = next(iter((await _files(api, await _finished(api, "/exports/", ACTIVITIES))).values()))
        assert "1001" not in text


@pytest.mark.parametrize(("by", "total"), [("recorded", 1), ("purchase", 0)])
async def test_which_date_an_activities_export_filters_by_is_a_switch(by: str, total: int) -> None:
    async with running(export_date_by=by) as api:
        await api.buy()
        assert (await _finished(api, "/exports/", ACTIVITIES))["total"] == total


async def test_other_activity_types_than_purchase_are_empty() -> None:
    async with running() as api:
        await api.buy()
        filters = {**ACTIVITIES["filters"], "activityTypes": ["login"]}  # type: ignore[dict-item]
        assert (await _finished(api, "/exports/", {**ACTIVITIES, "filters": filters}))["total"] == 0


async def test_a_contacts_export_holds_every_contact() -> None:
    async with running() as api:
        await api.buy()
        finished = await _finished(api, "/exports/", {**CONTACTS, "delimiter": ";"})
        (text,) = (await _files(api, finished)).values()
        (row,) = csv.DictReader(io.StringIO(text), delimiter=";")
        assert (row["_email"], row["_name"], row["_totalPurchases"]) == (EMAIL, "Ana", "1")


async def test_a_report_counts_purchases_by_day_quoted_and_with_line_feeds() -> None:
    async with running() as api:
        await api.buy(totalPrice=10.5)
        await api.post("/purchases/", {**PURCHASE, "purchaseId": "2", "totalPrice": 5})
        await api.post("/purchases/", {**PURCHASE, "purchaseId": "3", "purchaseDate": "2026-02-01T00:00:00Z"})
        finished = await _finished(api, "/exports/type/data-explorer", REPORT)
        ((name, text),) = (await _files(api, finished)).items()
        assert name.startswith("Purchases-20260101-20260131-")
        assert text == (
            '"year";"month";"day";"purchaseOrigin";"numberOfPurchases";"totalPurchaseAmount"\n'
            '"2026";"1";"5";"API";"2";"15.50"\n'
        )


async def test_an_exported_csv_can_begin_with_a_byte_order_mark() -> None:
    async with running(export_bom=True) as api:
        (text,) = (await _files(api, await _finished(api, "/exports/", CONTACTS))).values()
        assert text.startswith("\ufeff")


@pytest.mark.parametrize(("date_format", "shown"), [("L", "05/01/2026"), ("LL", "05 January 2026")])
async def test_dates_are_written_as_asked_for(date_format: str, shown: str) -> None:
    async with running() as api:
        await api.buy()
        finished = await _finished(api, "/exports/", {**ACTIVITIES, "dateFormat": date_format})
        (row,) = csv.DictReader(io.StringIO(next(iter((await _files(api, finished)).values()))))
        assert row["purchaseDate"] == shown


async def test_the_sixth_unfinished_export_is_e0301() -> None:
    async with running() as api:
        for _ in range(5):
            assert (await api.post("/exports/", CONTACTS)).status_code == 201
        answer = await api.post("/exports/", CONTACTS)
        assert (answer.status_code, answer.json()["code"]) == (400, "E0301")
        await api.clock.advance(10)
        assert (await api.post("/exports/", CONTACTS)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"exportType": "purchases"}, "/exportType"),
        ({"delimiter": "|"}, "/delimiter"),
        ({"dateFormat": None}, "/dateFormat"),
        ({"version": "v99"}, "/version"),
        ({"filters": []}, "/filters"),
        ({"filters": {"fromDate": "2023-11-01"}}, "/filters/toDate"),
        ({"filters": {"fromDate": "2023-11-01", "toDate": "2023-12-03"}}, "/filters/toDate"),
        ({"filters": {"fromDate": "2023-11-02", "toDate": "2023-11-01"}}, "/filters/toDate"),
        ({"filters": {**ACTIVITIES["filters"], "segmentId": "notAnObjectId"}}, "/filters/segmentId"),  # type: ignore[dict-item]
    ],
)
async def test_a_wrong_export_is_422_with_its_pointer(changes: dict[str, Any], path: str) -> None:
    async with running() as api:
        answer = await api.post("/exports", {**ACTIVITIES, **changes})
        assert answer.status_code == 422
        assert [violation["path"] for violation in answer.json()["validationErrors"]] == [path]


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"reportId": "x", "fromDate": "2026-01-01", "toDate": "2026-01-02"}, "/filters/reportId"),
        ({"fromDate": "2026-01-01", "toDate": "2026-01-02"}, "/filters/reportId"),
        ({**REPORT["filters"], "toDate": "2026-02-02"}, "/filters/toDate"),  # type: ignore[dict-item]
    ],
)
async def test_a_wrong_report_is_422_with_its_pointer(filters: dict[str, str], path: str) -> None:
    async with running() as api:
        answer = await api.post("/exports/type/data-explorer", {"delimiter": ",", "filters": filters})
        assert [violation["path"] for violation in answer.json()["validationErrors"]] == [path]


async def test_segments_that_exist_can_be_named() -> None:
    async with running(segments="643e76bfc1d60cb6ca7832fb") as api:
        for segment, status in (("643e76bfc1d60cb6ca7832fb", 201), ("643e76bfc1d60cb6ca7832fc", 422)):
            body = {**CONTACTS, "filters": {"segmentId": segment}}
            assert (await api.post("/exports", body)).status_code == status


async def test_an_unknown_filter_is_ignored_or_refused() -> None:
    async with running() as api:
        filters = {"fromDate": "2023-11-01", "toDate": "2023-11-20", "activityType": ["purchase"]}
        body = {**ACTIVITIES, "filters": filters}
        assert (await api.post("/exports", body)).status_code == 201
        await api.switch(unknown_export_filters="refuse")
        answer = await api.post("/exports", body)
        assert answer.json()["validationErrors"][0]["path"] == "/filters/activityType"


async def test_an_export_that_is_not_asked_for_in_json_is_415() -> None:
    async with running() as api:
        answer = await api.call("POST", "/exports", content=b"{}", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415


async def test_exports_are_listed_by_page_and_deleted() -> None:
    async with running() as api:
        created = [(await api.post("/exports", CONTACTS)).json()["id"] for _ in range(3)]
        page = (await api.get("/exports?page=1&pageSize=2")).json()
        assert [one["id"] for one in page["results"]] == [created[2], created[1]]
        page = (await api.get(page["links"]["next"])).json()
        assert [one["id"] for one in page["results"]] == [created[0]]
        assert (await api.delete(f"/exports/{created[0]}")).status_code == 204
        assert (await api.get(f"/exports/{created[0]}")).status_code == 404


async def test_a_deleted_exports_link_leads_nowhere() -> None:
    async with running() as api:
        finished = await _finished(api, "/exports/", CONTACTS)
        await api.delete(f"/exports/{finished['id']}")
        assert (await api.client.get(finished["fileUrl"])).status_code == 404
