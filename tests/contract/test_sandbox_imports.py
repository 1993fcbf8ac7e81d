"""Imports: the request, the queue, progress by the clock, the list, deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.connectif_sandbox import KEY, OTHER_KEY, Api, running

CSV = "_email,_name\na@mail.example,Ana\nb@mail.example,Eva\n"


def _rows(count: int) -> str:
    return "_email\n" + "".join(f"u{number}@mail.example\n" for number in range(count))


async def _shown(api: Api, created: Any) -> dict[str, Any]:
    return dict((await api.get(f"/imports/{created.json()['id']}")).json())


async def test_an_import_is_created_with_201_and_knows_its_rows_at_once() -> None:
    async with running() as api:
        answer = await api.upload(CSV)
        assert answer.status_code == 201
        assert answer.json() == {
            "id": answer.json()["id"],
            "type": "contacts",
            "status": "queued",
            "total": 2,
            "success": 0,
            "errors": 0,
            "createdAt": "2023-11-14T22:13:20.000Z",
            "origin": "api",
            "options": {"delimiter": ",", "overrideExisting": True, "updateOnlyEmptyFields": False},
        }


async def test_blank_lines_and_line_breaks_in_quotes_are_no_rows() -> None:
    async with running() as api:
        answer = await api.upload('_email,_name\r\n\r\na@mail.example,"A\nB"\r\n\r\n')
        assert answer.json()["total"] == 1


async def test_an_import_goes_from_queued_through_in_progress_to_finished_by_the_clock() -> None:
    async with running(import_queue_seconds=10, import_rows_per_second=10) as api:
        created = await api.upload(_rows(100))
        await api.clock.advance(9)
        assert (await _shown(api, created))["status"] == "queued"
        assert (await api.get("/contacts/email/u0@mail.example")).status_code == 404
        await api.clock.advance(4)
        shown = await _shown(api, created)
        assert (shown["status"], shown["success"], shown["errors"]) == ("inProgress", 30, 0)
        assert shown["startedAt"] == "2023-11-14T22:13:30.000Z"
        assert (await api.get("/contacts/email/u29@mail.example")).status_code == 200
        assert (await api.get("/contacts/email/u30@mail.example")).status_code == 404
        await api.clock.advance(100)
        shown = await _shown(api, created)
        assert (shown["status"], shown["success"]) == ("finished", 100)
        assert shown["finishedAt"] == "2023-11-14T22:13:40.000Z"
        assert "errorReportFileUrl" not in shown


async def test_an_import_goes_on_though_nobody_asks_after_it() -> None:
    async with running() as api:
        await api.upload(CSV)
        await api.clock.advance(60)
        assert (await api.get("/contacts/email/b@mail.example")).json()["_name"] == "Eva"


async def test_speed_shortens_the_time_imports_take() -> None:
    async with running(speed=60, import_queue_seconds=60, import_rows_per_second=1) as api:
        created = await api.upload(_rows(60))
        await api.clock.advance(1.5)
        assert (await _shown(api, created))["success"] == 30
        await api.clock.advance(0.5)
        assert (await _shown(api, created))["status"] == "finished"


async def test_imports_of_an_account_are_done_one_after_the_other() -> None:
    async with running(import_queue_seconds=0, import_rows_per_second=1) as api:
        first, second = await api.upload(_rows(10)), await api.upload(_rows(10))
        other = await api.call(
            "POST",
            "/imports",
            key=OTHER_KEY,
            data={
                "type": "contacts",
                "delimiter": ",",
                "overrideExisting": "true",
                "updateOnlyEmptyFields": "false",
            },
            files={"file": ("f.csv", _rows(10), "text/csv")},
        )
        await api.clock.advance(10)
        assert (await _shown(api, first))["status"] == "finished"
        assert (await _shown(api, second))["status"] == "inProgress"
        assert (await api.get(f"/imports/{other.json()['id']}", key=OTHER_KEY)).json()["status"] == "finished"
        await api.clock.advance(10)
        assert (await _shown(api, second))["finishedAt"] == "2023-11-14T22:13:40.000Z"


async def test_imports_can_be_done_at_once() -> None:
    async with running(import_queue_seconds=0, import_rows_per_second=1, import_parallel=2) as api:
        created = [await api.upload(_rows(10)) for _ in range(3)]
        await api.clock.advance(10)
        assert [(await _shown(api, one))["status"] for one in created] == [
            "finished",
            "finished",
            "inProgress",
        ]


async def test_the_eleventh_unfinished_import_is_e0401() -> None:
    async with running() as api:
        for _ in range(10):
            assert (await api.upload(CSV)).status_code == 201
        answer = await api.upload(CSV)
        assert answer.status_code == 400
        assert answer.json()["code"] == "E0401"
        await api.clock.advance(60)
        assert (await api.upload(CSV)).status_code == 201


async def test_whether_imports_in_progress_count_towards_the_ten_is_a_switch() -> None:
    async with running(max_imports=2, import_queue_seconds=1, import_rows_per_second=1) as api:
        await api.upload(_rows(50))
        await api.clock.advance(2)
        await api.upload(_rows(50))
        assert (await api.upload(CSV)).json()["code"] == "E0401"
        await api.switch(max_imports_counts="queued")
        assert (await api.upload(CSV)).status_code == 201


async def test_a_body_that_is_not_multipart_is_415() -> None:
    async with running() as api:
        assert (await api.post("/imports/", {"type": "contacts"})).status_code == 415
        assert (await api.call("POST", "/imports/", content=b"a")).status_code == 415


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_broken_multipart_body_is_400(content_type: str) -> None:
    async with running() as api:
        answer = await api.call(
            "POST", "/imports/", content=b"nonsense", headers={"Content-Type": content_type}
        )
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "purchases"}, "/type"),
        ({"kind": "segments"}, "/type"),
        ({"delimiter": "|"}, "/delimiter"),
        ({"overrideExisting": "yes"}, "/overrideExisting"),
        ({"overrideExisting": "false", "updateOnlyEmptyFields": "true"}, "/updateOnlyEmptyFields"),
        ({"kind": "coupons"}, "/couponSetId"),
        ({"kind": "coupons", "couponSetId": "61fa54f238319b3bf1990fdc"}, "/couponSetId"),
    ],
)
async def test_a_wrong_form_field_is_422(fields: dict[str, str], path: str) -> None:
    async with running() as api:
        answer = await api.upload(CSV, **fields)
        assert answer.status_code == 422
        assert [violation["path"] for violation in answer.json()["validationErrors"]] == [path]


async def test_missing_form_fields_are_422_each_by_name() -> None:
    async with running() as api:
        answer = await api.call("POST", "/imports/", files={"file": ("f.csv", CSV, "text/csv")})
        paths = [violation["path"] for violation in answer.json()["validationErrors"]]
        assert paths == ["/type", "/delimiter", "/overrideExisting", "/updateOnlyEmptyFields"]


async def test_a_missing_file_is_422() -> None:
    async with running() as api:
        form = {
            "type": "contacts",
            "delimiter": ",",
            "overrideExisting": "true",
            "updateOnlyEmptyFields": "false",
        }
        files = {"other": ("f.csv", CSV, "text/csv")}
        answer = await api.call("POST", "/imports/", data=form, files=files)
        assert answer.json()["validationErrors"][0]["path"] == "/file"


async def test_only_empty_fields_can_be_let_go_without_override() -> None:
    async with running(only_empty_needs_override=False) as api:
        answer = await api.upload(CSV, overrideExisting="false", updateOnlyEmptyFields="true")
        assert answer.status_code == 201


async def test_the_parts_content_type_matters_only_when_switched_on() -> None:
    async with running() as api:
        form = {
            "type": "contacts",
            "delimiter": ",",
            "overrideExisting": "true",
            "updateOnlyEmptyFields": "false",
        }
        files = {"file": ("f.csv", CSV, "application/octet-stream")}
        assert (await api.call("POST", "/imports/", data=form, files=files)).status_code == 201
        await api.switch(csv_part_required=True)
        assert (await api.call("POST", "/imports/", data=form, files=files)).status_code == 422


async def test_a_file_over_the_limit_is_413_by_its_bytes() -> None:
    async with running(import_max_bytes=len(CSV)) as api:
        assert (await api.upload(CSV)).status_code == 201
        answer = await api.upload(CSV + "\n")
        assert answer.status_code == 413
        assert answer.json()["status"] == 413


async def test_chunked_bytes_count_towards_413_and_are_read_to_the_end() -> None:
    async with running(import_max_bytes=100_000) as api:
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n\r\n'
            for _ in range(30):
                sent += 1
                yield b"x" * 100_000
            yield b"\r\n--b--\r\n"

        headers = {"Authorization": f"apiKey {KEY}", "Content-Type": "multipart/form-data; boundary=b"}
        answer = await api.client.post("/imports", content=body(), headers=headers)
        assert "content-length" not in answer.request.headers
        assert answer.status_code == 413
        assert sent == 30


async def test_imports_are_listed_newest_first_with_links() -> None:
    async with running() as api:
        created = [(await api.upload(CSV)).json()["id"] for _ in range(5)]
        first = (await api.get("/imports/?page=1&pageSize=2")).json()
        assert [one["id"] for one in first["results"]] == [created[4], created[3]]
        assert first["links"]["prev"] is None
        second = (await api.get(first["links"]["next"])).json()
        assert [one["id"] for one in second["results"]] == [created[2], created[1]]
        last = (await api.get(second["links"]["next"])).json()
        assert [one["id"] for one in last["results"]] == [created[0]]
        assert last["links"]["next"] is None
        assert (await api.get(last["links"]["prev"])).json() == second


async def test_a_page_is_as_large_as_the_switches_allow() -> None:
    async with running(page_size=2, max_page_size=3) as api:
        for _ in range(4):
            await api.upload(CSV)
        assert len((await api.get("/imports/")).json()["results"]) == 2
        assert len((await api.get("/imports/?pageSize=50")).json()["results"]) == 3
        assert (await api.get("/imports/?page=0")).status_code == 422
        assert (await api.get(f"/imports/?page={'9' * 5_000}")).status_code == 422


async def test_only_an_import_that_is_over_can_be_deleted() -> None:
    async with running(import_rows_per_second=1) as api:
        created = await api.upload(_rows(10))
        path = f"/imports/{created.json()['id']}"
        assert (await api.delete(path)).status_code == 409
        await api.clock.advance(5)
        await api.switch(delete_unfinished_import_status=400)
        assert (await api.delete(path)).status_code == 400
        await api.clock.advance(60)
        assert (await api.delete(path)).status_code == 204
        assert (await api.get(path)).status_code == 404
        assert (await api.get("/imports/")).json()["results"] == []


async def test_an_unknown_import_is_404_and_a_malformed_id_400() -> None:
    async with running() as api:
        assert (await api.get("/imports/6072374b4d3ceb76e44d4323")).status_code == 404
        assert (await api.get("/imports/17")).status_code == 400


async def test_repeating_an_import_makes_a_second_one() -> None:
    async with running() as api:
        first, second = await api.upload(CSV), await api.upload(CSV)
        assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    ("kind", "csv"),
    [
        ("contacts", b"_name\nAna\n"),
        ("contacts", b"_email,_email\na@mail.example,b@mail.example\n"),
        ("contacts", "_email,_name\na@mail.example,Añá\n".encode("latin-1")),
        ("contacts", b""),
        ("products", b"productId,name,unitPrice\n1,Cup,1\n"),
    ],
)
async def test_a_file_that_cannot_be_used_fails_the_import_or_is_422(kind: str, csv: bytes) -> None:
    async with running() as api:
        created = await api.upload(csv, kind)
        assert created.status_code == 201
        await api.clock.advance(60)
        shown = await _shown(api, created)
        assert (shown["status"], shown["success"]) == ("error", 0)
        await api.switch(unusable_file="422")
        assert (await api.upload(csv, kind)).json()["validationErrors"][0]["path"] == "/file"


async def test_an_empty_file_with_a_header_finishes_at_once() -> None:
    async with running() as api:
        finished = await api.imported("_email,_name\n")
        assert (finished["status"], finished["total"]) == ("finished", 0)


async def test_other_accounts_are_served_while_rows_are_worked_through() -> None:
    async with running() as api:
        await api.upload(_rows(5_000))
        await api.clock.advance(60)
        ended: list[str] = []

        async def ask(name: str, key: str) -> None:
            assert (await api.get("/store/", key=key)).status_code == 200
            ended.append(name)

        await asyncio.gather(ask("busy", KEY), ask("busy too", KEY), ask("idle", OTHER_KEY))
        assert ended[0] == "idle"
        assert (await api.stats())["counts"]["contacts"] == 5_000


async def test_a_million_bytes_of_rows_are_imported() -> None:
    async with running() as api:
        rows = "".join(f"u{number}@mail.example,{'x' * 100}\n" for number in range(10_000))
        finished = await api.imported("_email,_name\n" + rows)
        assert (finished["status"], finished["success"]) == ("finished", 10_000)
        assert (await api.stats())["counts"]["contacts"] == 10_000
