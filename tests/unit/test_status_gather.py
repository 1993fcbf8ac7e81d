"""Asking the processes: each once, whoever is silent is named, and Kafka's absence hides nobody who runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.local import addresses
from pipeline.status import gather
from pipeline.status.facts import Snapshot, State
from pipeline.workers.directory import WorkerPlace
from tests.status_pages import deliver_page, gateway_page, page, settings_of, translate_page

NOW = 1_780_000_000.0
GATEWAY, TRANSLATE, DELIVER = (f"http://127.0.0.1:{port}" for port in (8090, 8081, 8082))
SHOPS = "http://127.0.0.1:8080"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(4, data_dir=str(tmp_path))


class Pages:
    """Answers as processes do, and counts what is asked."""

    def __init__(self, **pages: str) -> None:
        self.pages, self.asked = pages, Counter[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked[str(request.url)] += 1
        if request.url.path == "/readyz":
            return httpx.Response(503, text="2 tables are restored\n")
        found = self.pages.get(f"p{request.url.port}")
        if found is None:
            raise httpx.ConnectError("nobody")
        return httpx.Response(200, text=found)


def members(monkeypatch: pytest.MonkeyPatch, say: Callable[[str], Any]) -> None:
    """What Kafka says of each group."""

    class Directory:
        def __init__(self, _: Settings) -> None:
            return

        def workers(self, app: str, _: float) -> Any:
            return say(app.removeprefix("pipeline-"))

    monkeypatch.setattr(gather, "WorkerDirectory", Directory)


def look(settings: Settings, pages: Pages, *urls: str) -> Snapshot:
    with gather.Gatherer(settings, urls, transport=httpx.MockTransport(pages), wall=lambda: NOW) as gatherer:
        return gatherer.gather()


def test_workers_are_found_by_their_groups_and_a_gateway_by_its_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"translate": [WorkerPlace("t1", TRANSLATE)], "deliver": [WorkerPlace("d1", DELIVER)]}
    members(monkeypatch, lambda stage: known.get(stage, []))
    pages = Pages(p8090=gateway_page(4, NOW), p8081=translate_page(4), p8082=deliver_page(4))
    found = look(settings, pages, f"{GATEWAY}/")
    assert [one.name for one in found.processes] == ["gateway", "translate t1", "deliver d1"]
    assert not list(found.troubles())
    assert not found.notes
    assert pages.asked == {f"{url}/metrics": 1 for url in (GATEWAY, TRANSLATE, DELIVER)}, "each once"
    assert {one.state for one in found.accounts} == {State.FINE}


def test_the_processes_of_up_are_found_without_kafka(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise BrokerError("no embedded broker runs")

    members(monkeypatch, away)
    urls = {"gateway": GATEWAY, "translate": TRANSLATE, "deliver": DELIVER}
    addresses.write(settings.data_dir, urls, SHOPS)
    starting = page(("pipeline_ready", {"process": "pipeline-translate"}, 0))
    found = look(settings, Pages(p8090=gateway_page(4, NOW), p8081=starting))
    assert {one.name: one.why for one in found.processes} == {
        "gateway": "",
        "translate": "2 tables are restored",
        "deliver": f"{DELIVER} does not answer",
    }
    assert found.notes == ("no embedded broker runs",)
    assert {one.reason for one in found.accounts} == {f"{DELIVER} does not answer"}


def test_without_anybody_it_is_said_what_is_missing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    members(monkeypatch, lambda _: [])
    found = look(settings, Pages())
    assert [one.why for one in found.processes] == ["no translate worker runs", "no deliver worker runs"]
    assert "no gateway is known" in found.notes[0]


@pytest.mark.parametrize("text", ["<html>", "\x00" * 9, "pipeline_ready{", "x" * 10_000])
def test_another_program_on_the_port_is_no_process_that_is_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    members(monkeypatch, lambda stage: [WorkerPlace("d1", DELIVER)] if stage == "deliver" else [])
    found = look(settings, Pages(p8082=text))
    assert [one.ready for one in found.processes if one.name == "deliver d1"] == [False]
    assert {one.state for one in found.accounts} == {State.UNKNOWN}


def test_a_page_without_an_end_is_cut_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    members(monkeypatch, lambda stage: [WorkerPlace("d1", DELIVER)] if stage == "deliver" else [])
    monkeypatch.setattr(gather, "MOST_BYTES", 100)
    found = look(settings, Pages(p8082=deliver_page(4)))
    [deliver] = [one for one in found.processes if one.name == "deliver d1"]
    assert (deliver.ready, deliver.why) == (False, f"{DELIVER} answers with something else than metrics")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"gateway": 5}', b"\xff", b"[" * 100_000])
def test_a_file_of_addresses_that_is_none_names_nobody(tmp_path: Path, content: bytes) -> None:
    assert addresses.read(tmp_path) == {}
    assert addresses.webhooks(tmp_path) is None
    addresses.write(tmp_path, {"gateway": GATEWAY}, SHOPS)
    assert addresses.read(tmp_path) == {"gateway": GATEWAY}
    assert addresses.webhooks(tmp_path) == SHOPS
    assert addresses.path_in(tmp_path).stat().st_mode & 0o777 == 0o600
    addresses.path_in(tmp_path).write_bytes(content)
    assert addresses.read(tmp_path) == {}
    assert addresses.webhooks(tmp_path) is None
    addresses.remove(tmp_path)
    addresses.remove(tmp_path)
    assert not addresses.path_in(tmp_path).exists()


def test_all_groups_are_asked_for_through_one_client(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Directory:
        def __init__(self, _: Settings) -> None:
            made.append(self)
            time.sleep(0.05)  # the other groups are asked for meanwhile

        def workers(self, _: str, __: float) -> list[WorkerPlace]:
            return []

    monkeypatch.setattr(gather, "WorkerDirectory", Directory)
    look(settings, Pages())
    assert len(made) == 1
