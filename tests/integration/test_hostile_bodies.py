"""Hostile bodies, rightly signed, through the real processes: each ends where it must, and all goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
from confluent_kafka import Consumer
from prometheus_client.parser import text_string_to_metric_families

from pipeline.config import Settings, load
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DEADLETTERS, full_name
from pipeline.local.ports import free_port
from pipeline.local.wiring import Wiring
from pipeline.shops.values import parse_json_object
from tests.broker import KafkaSettings
from tests.processes import until
from tests.settings_trees import store_tree
from tests.shopify import order_line, paid_order
from tests.webhooks import SECRET, signature

pytestmark = pytest.mark.kafka

SPEED = 60
DELIVERED = "delivered"
IGNORED = "ignored"
#: Stands in every address and name, so that no log may hold it.
PERSON = "canary"
FORMULA = '=cmd|\'/C calc\'!A0";;,\r\n"x"\t\N{RIGHT-TO-LEFT OVERRIDE}\N{SKULL AND CROSSBONES}'


class Hostile(NamedTuple):
    """A body, and where it ends: `DELIVERED`, `IGNORED`, or the reason and field of its dead letter."""

    name: str
    body: bytes
    end: str
    field: str = ""
    topic: str = "orders/paid"


def order(number: int, **changes: Any) -> dict[str, Any]:
    """A paid order of somebody of its own."""
    email = changes.get("email", f"{PERSON}.{number}@example.com")
    said = {"id": number, "admin_graphql_api_id": None, "email": email, "contact_email": None}
    customer = {"id": number, "email": None, "first_name": PERSON, "last_name": PERSON}
    body: dict[str, Any] = paid_order(**{**said, "customer": customer, **changes})
    return body


def with_line(number: int, **changes: Any) -> dict[str, Any]:
    """An order of one line."""
    return order(number, line_items=[order_line(**changes)])


def raw(body: dict[str, Any], stands_for: str, text: bytes) -> bytes:
    """The body with JSON in it that no library would write."""
    written = orjson.dumps(body)
    assert stands_for.encode() in written
    return written.replace(f'"{stands_for}"'.encode(), text)


def person(name: str) -> dict[str, Any]:
    """A customer of an order."""
    return {"id": 7, "first_name": name, "last_name": name}


def bodies() -> Iterator[Hostile]:
    """All of them; each order has a number of its own."""
    number = iter(range(910_000_000_001, 920_000_000_000))

    def good() -> bytes:
        return orjson.dumps(order(next(number)))

    yield Hostile("truncated", good()[:-200], "invalid_json")
    yield Hostile("latin-1", good().replace(b"T-shirt", b"T-sh\xefrt"), DELIVERED)
    yield Hostile("utf-16", good().decode().encode("utf-16"), "invalid_json")
    yield Hostile("byte order mark", b"\xef\xbb\xbf" + good(), "invalid_json")
    yield Hostile("lone surrogate", good().replace(b"T-shirt", b"\\ud800"), DELIVERED)
    yield Hostile("bomb", b"[" * 400_000 + b"]" * 400_000, "invalid_json")
    yield Hostile("bomb of objects", b'{"id":' * 300_000, "invalid_json")
    for top in (b"[]", b'"text"', b"null", b"5", b" ", b"\x00"):
        yield Hostile(f"top {top!r}", top, "invalid_json")
    yield Hostile("nothing in it", b"{}", "missing_field", "id")
    for number_of in (b"NaN", b"Infinity", b"1e400", b"9" * 400):
        yield Hostile(f"id {number_of[:9]!r}", raw(order(0, id="@"), "@", number_of), "invalid_json")
    no_ids: list[Any] = [None, 1.5, -5, True, "12|34", "12\n34", "7" * 10_000, [], {}]
    for ident in no_ids:
        yield Hostile(f"id {ident!r:.9}", orjson.dumps(order(next(number), id=ident)), "missing_field", "id")
    for year in ("0000", "0001", "9999", "10000"):
        body = order(next(number), processed_at=f"{year}-01-01T00:00:00Z")
        yield Hostile(f"year {year}", orjson.dumps(body), "invalid_date", "processed_at")
    no_amounts: list[Any] = ["1e400", "1_0", "NaN", "", {}]
    for amount in no_amounts:
        body = with_line(next(number), price=amount)
        yield Hostile(f"price {amount!r}", orjson.dumps(body), "invalid_money", "line_items.0.price")
    below_zero = orjson.dumps(with_line(next(number), price="-1"))
    yield Hostile("price below zero", below_zero, "no_products", "line_items")
    body = with_line(next(number), quantity="@", current_quantity="@")
    yield Hostile("quantity", raw(body, "@", b"1e30"), "invalid_quantity", "line_items.0.quantity")
    body = order(next(number), currency="XXQ")
    yield Hostile("currency", orjson.dumps(body), "currency_mismatch", "currency")
    for lines, reason, field in (
        ([], "no_products", "line_items"),
        ("text", "missing_field", "line_items"),
        ([None], "no_products", "line_items"),
    ):
        yield Hostile(f"lines {lines}", orjson.dumps(order(next(number), line_items=lines)), reason, field)
    for email in ("a" * 288 + "@example.com", "a\x00b@example.com", "a@example.com\r\nBcc: b@example.com"):
        body = order(next(number), email=email)
        yield Hostile(f"e-mail {email[:9]!r}", orjson.dumps(body), "invalid_email", "email")
    yield Hostile("no e-mail", orjson.dumps(order(next(number), email=None)), "no_email", "email")
    yield Hostile("no topic", good(), "missing_topic", topic="")
    yield Hostile("unknown topic", good(), IGNORED, topic="carts/update")
    yield Hostile("formula", orjson.dumps(order(next(number), customer=person(FORMULA))), DELIVERED)
    named = order(next(number), line_items=[order_line(product_id=78, title=FORMULA)])
    yield Hostile("product's formula", orjson.dumps(named), DELIVERED)
    yield Hostile("name of 1 MB", orjson.dumps(order(next(number), customer=person("n" * 10**6))), DELIVERED)
    many = [order_line(id=line, product_id=1_000 + line) for line in range(300)]
    yield Hostile("300 lines", orjson.dumps(order(next(number), line_items=many)), DELIVERED)
    notes = [{"name": f"n{note}", "value": "v"} for note in range(1_000)]
    yield Hostile("1,000 notes", orjson.dumps(order(next(number), note_attributes=notes)), DELIVERED)
    yield Hostile("nested deep", raw(order(next(number), tags="@"), "@", b"[" * 900 + b"]" * 900), DELIVERED)
    yield Hostile("good at last", good(), DELIVERED)


class Environment:
    """The processes, and what can be seen of them."""

    def __init__(self, wiring: Wiring, settings: Settings, client: httpx.AsyncClient) -> None:
        self.settings = settings
        self._wiring = wiring
        self._client = client

    async def post(self, body: bytes, topic: str, delivery: str) -> int:
        """Post it rightly signed; the status."""
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-webhook-id": delivery,
            "x-shopify-hmac-sha256": signature(body),
        }
        url = f"{self._wiring.address}/webhooks/shopify/acme"
        return (await self._client.post(url, content=body, headers=headers)).status_code

    async def account(self, process: str, series: str) -> Counter[str]:
        """A worker's account by outcome."""
        page = (await self._client.get(f"{self._wiring.urls[process]}/metrics")).text
        counts: Counter[str] = Counter()
        for family in text_string_to_metric_families(page):
            if family.name == series:
                for sample in family.samples:
                    counts[sample.labels["outcome"]] += int(sample.value)
        return counts

    async def purchases(self) -> set[str]:
        """The ids the sandbox holds; none was made twice."""
        query = {"account": "es", "kind": "purchases", "limit": "10000"}
        answer = await self._client.get(f"{self._wiring.urls['sandbox']}/_sandbox/ledger", params=query)
        items = answer.json()["purchases"]["items"]
        assert all(item["creates"] == 1 for item in items)
        return {item["key"] for item in items}

    def dead_letters(self, count: int) -> dict[bytes, tuple[str, str]]:
        """Reason and field by body, once so many are there."""
        consumer = Consumer(
            {**client_config(self.settings), "group.id": "test", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([full_name(self.settings, DEADLETTERS)])
        letters: dict[bytes, tuple[str, str]] = {}
        deadline = time.monotonic() + 20
        while len(letters) < count and time.monotonic() < deadline:
            for message in consumer.consume(500, 0.2):
                assert message.error() is None
                headers = {name: value.decode() for name, value in message.headers()}
                assert (headers["dead-stage"], headers["dead-store"]) == ("translate", "acme")
                letters[message.value()] = (headers["dead-reason"], headers["dead-field"])
        consumer.close()
        return letters


def tree() -> dict[str, Any]:
    """Settings of one store and a sandbox of its own."""
    account = {
        "api_key": "id:key-of-connectif",
        "base_url": f"http://127.0.0.1:{free_port()}",
        "window_seconds": 60 / SPEED,
        "currency": "EUR",
    }
    store = store_tree(account="es", secrets=[SECRET])
    deliver = {"import_poll": 0.2, "retry_min": 0.05, "retry_max": 1.0}
    return {
        "sandbox": {"speed": SPEED},
        "deliver": deliver,
        "accounts": {"es": account},
        "stores": {"acme": store},
    }


async def test_every_hostile_body_ends_where_it_must_and_a_good_order_behind_them_is_delivered(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = kafka_settings.write(tree())
    settings = load(path, {})
    hostile = list(bodies())
    assert len({case.body for case in hostile}) == len(hostile)
    ends = Counter(case.end if case.end in (DELIVERED, IGNORED) else "dead" for case in hostile)

    async with (
        Wiring(settings, sandbox=True) as wiring,
        httpx.AsyncClient(timeout=30, trust_env=False) as client,
    ):
        environment = Environment(wiring, settings, client)
        for number, case in enumerate(hostile):
            assert (case.name, await environment.post(case.body, case.topic, f"d-{number}")) == (
                case.name,
                200,
            )
        assert await environment.post(b"x" * 50_000_000, "orders/paid", "large") == 413

        letters = await asyncio.to_thread(environment.dead_letters, ends["dead"])
        assert {case.name: letters.get(case.body) for case in hostile} == {
            case.name: None if case.end in (DELIVERED, IGNORED) else (case.end, case.field)
            for case in hostile
        }
        sold = {str(parse_json_object(case.body, [])["id"]) for case in hostile if case.end == DELIVERED}

        async def all_ended() -> bool:
            pending = (await environment.account("deliver", "pipeline_account_records"))["pending"]
            return not pending and await environment.purchases() == sold

        await until(all_ended, 30)
        records = await environment.account("deliver", "pipeline_account_records")
        events = await environment.account("translate", "pipeline_account_events")
        assert events == Counter(accepted=ends[DELIVERED], ignored=ends[IGNORED], rejected=ends["dead"])
        accepted = records.pop("accepted")
        assert accepted == records.total()
        assert records["dead"] == 0
        await until(lambda: all(status.phase == "ready" for status in wiring.statuses))
        assert {status.name: status.restarts for status in wiring.statuses} == dict.fromkeys(wiring.urls, 0)

    for log in (settings.data_dir / "logs").iterdir():
        said = log.read_text()
        for secret in (PERSON, SECRET, "key-of-connectif", "cmd|"):
            assert secret not in said, log.name
