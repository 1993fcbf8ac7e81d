"""Where workers are, and asking them: the right one, another one, one that is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pipeline import config
from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.kafka.keys import partition_of_key
from pipeline.kafka.messages import TopicPartition
from pipeline.observe import _query
from pipeline.workers import client as asking
from pipeline.workers.address import client_id, url_of
from pipeline.workers.client import WorkerClient
from pipeline.workers.directory import WorkerPlace

HERE, THERE = "http://127.0.0.1:8082", "http://10.0.0.7:8082"


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_is_in_the_partition_in_which_kafkas_own_clients_put_it(key: bytes, murmur2: int) -> None:
    for partitions in (1, 2, 8, 1_000):
        assert partition_of_key(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(
    ("host", "seen", "url"),
    [
        ("127.0.0.1", "10.0.0.7", "http://127.0.0.1:8082"),
        ("10.0.0.8", "10.0.0.7", "http://10.0.0.8:8082"),
        ("0.0.0.0", "10.0.0.7", "http://10.0.0.7:8082"),
        ("::", "0:0:0:0:0:0:0:1", "http://[::1]:8082"),
        ("::1", "10.0.0.7", "http://[::1]:8082"),
        ("0.0.0.0", "no address", None),
    ],
)
def test_a_workers_client_id_says_where_it_is_asked(host: str, seen: str, url: str | None) -> None:
    assert url_of(client_id("pipeline", host, 8082), seen) == url


@pytest.mark.parametrize("said", ["pipeline", "", "pipeline@", "pipeline@host:1", "pipeline@1.2.3.999:1"])
def test_a_client_id_of_an_older_release_says_nothing(said: str) -> None:
    assert url_of(said, "10.0.0.7") is None


def settings(token: str | None = None) -> Settings:
    """Plain ones, with a token or none."""
    made = config.parse({"kafka": {"bootstrap": "127.0.0.1:1"}}, {})
    return made.model_copy(update={"http_token": SecretStr(token) if token else None})


def client(
    answer: Callable[[httpx.Request], httpx.Response],
    *workers: WorkerPlace,
    token: str | None = None,
    known: bool = True,
) -> WorkerClient:
    """One whose group has these workers; `known`: Kafka says so."""
    made = WorkerClient(settings(token), httpx.MockTransport(answer))
    made._workers["pipeline-deliver"] = list(workers) if known else None
    return made


def ask(of: WorkerClient) -> asking.WorkerAnswer:
    """Of partition 3."""
    return of.ask("pipeline-deliver", "connectif.purchases", 3, "/state/record", {"id": "7"})


def place(name: str, url: str, *numbers: int) -> WorkerPlace:
    """A worker with these partitions."""
    return WorkerPlace(name, url, frozenset(TopicPartition("connectif.purchases", n) for n in numbers))


def test_the_worker_that_holds_the_partition_is_asked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://10.0.0.7:8082/state/record?id=7"
        return httpx.Response(200, json={"worker": "w2", "pending": True})

    found = ask(client(answer, place("w1", HERE, 1, 2), place("w2", THERE, 3)))
    assert found.found == {"worker": "w2", "pending": True}


def test_a_worker_that_lost_the_partition_meanwhile_says_who_has_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "127.0.0.1":
            owner = {"worker": "w2", "url": THERE}
            return httpx.Response(421, json={"worker": "w1", "error": "elsewhere", "owner": owner})
        return httpx.Response(200, json={"worker": "w2"})

    assert ask(client(answer, place("w1", HERE, 3))).found == {"worker": "w2"}


def test_two_workers_that_name_each_other_are_asked_once_each() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        other = {"worker": "w2", "url": THERE} if request.url.host == "127.0.0.1" else {"url": HERE}
        return httpx.Response(421, json={"error": "elsewhere", "owner": other})

    assert ask(client(answer, place("w1", HERE, 3))).error == "elsewhere"
    assert asked == ["127.0.0.1", "10.0.0.7"]


def test_another_worker_at_the_same_address_of_this_machine_counts_for_nothing() -> None:
    found = ask(client(lambda _: httpx.Response(200, json={"worker": "mine"}), place("w9", HERE, 3)))
    assert found.found is None
    assert "is worker mine, not w9" in found.why


def test_the_token_goes_to_other_machines_alone() -> None:
    seen: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("authorization")
        return httpx.Response(200, json={"worker": "w1"})

    ask(client(answer, place("w1", HERE, 3), token="s3kr1t"))
    ask(client(answer, place("w1", THERE, 3), token="s3kr1t"))
    assert seen == {"127.0.0.1": None, "10.0.0.7": "Bearer s3kr1t"}


def _refuses(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_refuses, "no_answer"),
        (lambda _: httpx.Response(200, content=b"<html>"), "no_answer"),
        (lambda _: httpx.Response(200, content=b"[]"), "no_answer"),
        (lambda _: httpx.Response(200, content=b"[" * 1_000_000), "no_answer"),
        (lambda _: httpx.Response(200, content=b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "no_answer"),
        (lambda _: httpx.Response(503, json={"error": "not_ready", "detail": "stopping"}), "not_ready"),
        (lambda _: httpx.Response(403, json={"error": "loopback_only"}), "loopback_only"),
    ],
)
def test_why_a_worker_did_not_answer_is_said(answer: Any, error: str) -> None:
    found = ask(client(answer, place("w1", HERE, 3)))
    assert (found.found, found.error, found.worker) == (None, error, "w1")
    assert found.why


@pytest.mark.parametrize(
    "entity",
    ["a/b", "../..", "50%", "%2F", "a&id=b", "a+b c", "#1001", "東京", "ann@b.example", "a|b", "\x00\n"],
)
def test_an_id_comes_to_the_page_as_it_is_whatever_is_in_it(entity: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/state"
        return httpx.Response(200, json={"worker": "w1", "asked": _query(request.url.query)})

    found = client(answer, place("w1", HERE, 3)).ask_at(HERE, "/state", {"store": "s", "id": entity})
    assert found.found == {"worker": "w1", "asked": {"store": "s", "id": entity}}


def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 10)
    found = ask(client(lambda _: httpx.Response(200, json={"worker": "w" * 99}), place("w1", HERE, 3)))
    assert found.error == "no_answer"


def test_a_partition_that_nobody_holds_is_said_to_be_given_out() -> None:
    assert ask(client(_refuses, place("w1", HERE, 1))).error == "no_owner"
    assert ask(client(_refuses)).error == "no_worker"
    assert ask(client(_refuses, place("w1", "", 3))).error == "no_address"
    assert ask(client(_refuses, known=False)).error == "no_kafka"


def test_without_a_broker_it_is_said_that_the_workers_cannot_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_: Settings) -> None:
        raise BrokerError("no embedded broker runs")

    monkeypatch.setattr(asking, "WorkerDirectory", away)
    found = WorkerClient(settings()).ask("pipeline-deliver", "connectif.purchases", 3, "/state/record", {})
    assert (found.error, found.why) == ("no_kafka", "no embedded broker runs")


def test_what_a_worker_does_for_others_is_asked_of_the_owner_by_post_and_who_it_is_anew_after_a_failure() -> (
    None
):
    answers = [
        httpx.Response(503, json={"error": "busy", "detail": "ask again"}),
        httpx.Response(200, json={"worker": "w9"}),
        httpx.Response(200, json={"worker": "w2", "pages": 1}),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert request.headers["x-pipeline-action"]
        assert str(request.url) == "http://127.0.0.1:8082/sync/orders?page=1"
        return answers.pop(0)

    made, owner = client(answer), place("w2", HERE, 3)
    found = []
    for _ in range(3):
        made._workers["pipeline-deliver"] = [owner]
        said = made.have("pipeline-deliver", "connectif.purchases", 3, "/sync/orders", {"page": "1"}, 5.0)
        found.append((said.found, said.error))
        assert ("pipeline-deliver" in made._workers) is (said.found is not None)
    assert found == [(None, "busy"), (None, "another_worker"), ({"worker": "w2", "pages": 1}, "")]
