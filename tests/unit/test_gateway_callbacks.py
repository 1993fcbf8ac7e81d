"""Connectif's callbacks at the gateway: what is kept, and what hostile ones are answered."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from pipeline import config
from pipeline.errors import SettingsError
from pipeline.events import Kind, RawEvent
from pipeline.gateway.answers import REFUSAL_SECONDS
from pipeline.gateway.app import Gateway
from pipeline.gateway.callbacks import MAX_BODY, Callbacks
from pipeline.gateway.message import Stored
from pipeline.gateway.webhooks import Webhooks
from pipeline.shops.callbacks import Statement, statement_of
from pipeline.shops.registry import PLATFORMS
from tests.unit.gateway_app import NOW, RecordingKeeper, client_of
from tests.webhooks import STORES

pytestmark = pytest.mark.real_time

TOKEN, OLD = "t" * 24, "o" * 24
URL = f"/callbacks/acme-es/{TOKEN}"
NAMED = {"email": "Ana+News@Mail.example", "ip": "203.0.113.7"}


def settings_tree(**store: Any) -> dict[str, Any]:
    stores = {name: dict(one) for name, one in STORES["stores"].items()}
    stores["acme-es"] |= {"callback_tokens": [TOKEN, OLD], **store}
    return {**STORES, "stores": stores, "kafka": {"topic_prefix": "t-"}}


@pytest.fixture
def keeper() -> RecordingKeeper:
    return RecordingKeeper()


@pytest.fixture
async def client(keeper: RecordingKeeper) -> AsyncIterator[httpx.AsyncClient]:
    settings = config.parse(settings_tree(), {})
    webhooks = Webhooks(settings, PLATFORMS, keeper, lambda: NOW)
    callbacks = Callbacks(settings, keeper, webhooks, lambda: NOW)
    app = Gateway(webhooks, lambda: None, callbacks)
    async with client_of(app) as client:
        yield client


def kept(keeper: RecordingKeeper) -> RawEvent:
    [message] = keeper.kept
    assert message.topic == "t-sync.consents"
    event = RawEvent.from_kafka(message.body, message.headers)
    assert message.key == event.key
    return event


@pytest.mark.parametrize("what", ["subscribed", "unsubscribed"])
async def test_a_callback_is_kept_without_the_network_address(
    client: httpx.AsyncClient, keeper: RecordingKeeper, what: str
) -> None:
    answer = await client.get(f"{URL}/{what}", params=NAMED)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    event = kept(keeper)
    assert (event.kind, event.topic, event.store) == (Kind.CUSTOMER, f"callback/{what}", "acme-es")
    assert statement_of(event) == Statement("ana+news@mail.example", what, int(NOW * 1_000), True)  # type: ignore[arg-type]
    assert b"203.0.113.7" not in keeper.kept[0].body


async def test_without_a_network_address_nobody_acted_in_person(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    assert (await client.get(f"{URL}/unsubscribed?email=ana+news@mail.example&ip=")).is_success
    said = statement_of(kept(keeper))
    assert said is not None
    assert (said.address, said.in_person) == ("ana+news@mail.example", False)


async def test_a_bounce_is_kept_with_its_type_alone(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    said = {"entityEmail": "ana@mail.example", "bounceTypeId": "hard", "bounceErrorMessage": "550 ana@x"}
    assert (await client.post(f"{URL}/bounced", json=said)).is_success
    assert orjson.loads(kept(keeper).body) == {"email": "ana@mail.example", "bounce": "hard"}
    assert statement_of(kept(keeper)) is None


async def test_either_of_two_tokens_opens(client: httpx.AsyncClient, keeper: RecordingKeeper) -> None:
    assert (await client.get(f"/callbacks/acme-es/{OLD}/subscribed", params=NAMED)).is_success
    assert len(keeper.kept) == 1


async def test_a_spooled_callback_is_answered_200_and_one_that_cannot_be_kept_503(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    keeper.stored = Stored.SPOOL
    assert (await client.get(f"{URL}/subscribed", params=NAMED)).status_code == 200
    keeper.full = True
    assert (await client.get(f"{URL}/subscribed", params=NAMED)).status_code == 503


@pytest.mark.parametrize(
    "path",
    [
        f"acme-es/{'x' * 24}",
        f"acme-es/{TOKEN[:-1]}",
        f"acme-es/{TOKEN}t",
        "acme-es/%00%ff%0a",
        f"woo-fr/{TOKEN}",  # a store without callbacks
        f"nobody/{TOKEN}",
    ],
)
async def test_a_wrong_token_is_refused_after_the_same_time_whatever_the_store(
    client: httpx.AsyncClient, keeper: RecordingKeeper, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    answer = await client.get(f"/callbacks/{path}/unsubscribed", params=NAMED)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert time.monotonic() - began >= REFUSAL_SECONDS * 0.9
    assert keeper.kept == []
    assert TOKEN not in caplog.text
    assert "mail.example" not in caplog.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "email=",
        "email=nobody",
        "email=a@b@c",
        "email=%00@mail.example",
        "email=ana@mail.example&email=eve@mail.example",
        "email=ana%40mail.example%0d%0aX:1",
        "email=" + "a" * 3_000 + "@mail.example",
        "&".join(f"p{n}=1" for n in range(50)),
    ],
)
async def test_what_names_no_person_is_refused(
    client: httpx.AsyncClient, keeper: RecordingKeeper, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        answer = await client.get(f"{URL}/unsubscribed?{query}")
    assert (answer.status_code, keeper.kept) == (400, [])
    assert TOKEN not in caplog.text
    assert "mail.example" not in caplog.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entityEmail":7}', b'{"entityEmail":"x"}', b"\xff{"])
async def test_a_bounce_that_names_no_person_is_refused(
    client: httpx.AsyncClient, keeper: RecordingKeeper, body: bytes
) -> None:
    assert (await client.post(f"{URL}/bounced", content=body)).status_code == 400
    assert keeper.kept == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_other_methods_are_refused(
    client: httpx.AsyncClient, keeper: RecordingKeeper, method: str
) -> None:
    answer = await client.request(method, f"{URL}/unsubscribed", params=NAMED)
    assert (answer.status_code, answer.headers["allow"], keeper.kept) == (405, "GET", [])
    assert (await client.get(f"{URL}/bounced")).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    ["", "acme-es", f"acme-es/{TOKEN}", f"acme-es/{TOKEN}/", f"acme-es/{TOKEN}/x", f"//{TOKEN}/subscribed"],
)
async def test_other_paths_are_unknown(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/callbacks/{path}", params=NAMED)).status_code == 404


async def test_a_body_that_is_too_large_is_refused_and_nothing_stays_held(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    assert (await client.post(f"{URL}/bounced", content=b"x" * (MAX_BODY + 1))).status_code == 413
    assert keeper.kept == []


@pytest.mark.parametrize("token", ["short", "with space" * 4, "slash/" * 6, "é" * 30])
def test_a_token_that_can_be_guessed_or_stands_in_no_address_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="callback's token"):
        config.parse(settings_tree(callback_tokens=[token]), {})


def routed(*tokens: list[str], **store: Any) -> dict[str, Any]:
    """A store that feeds an account of each language, each with tokens of its own."""
    names = ("es", "fr")
    routes = [
        {"account": name, "language": name, "callback_tokens": own}
        for name, own in zip(names, tokens, strict=True)
    ]
    tree = settings_tree(**{"routes": routes, "callback_tokens": [], **store})
    account = next(iter(tree["accounts"].values()))
    tree["accounts"] = {**tree["accounts"], **dict.fromkeys(names, account)}
    del tree["stores"]["acme-es"]["account"]
    return tree


@pytest.mark.parametrize(
    "tree",
    [routed([TOKEN], [TOKEN]), routed([TOKEN], [OLD], callback_tokens=["s" * 24])],
    ids=["of two accounts", "of the store"],
)
def test_a_token_that_does_not_tell_the_account_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="callback_tokens"):
        config.parse(tree, {})


def test_a_token_in_a_route_does_not_stand_in_the_file_where_calls_leave_the_machine() -> None:
    tree = routed([TOKEN], [OLD])
    away = {"api_key": {"env": "PATH"}, "base_url": "https://api.example"}
    tree["accounts"] = {**tree["accounts"], "es": away, "fr": away}
    tree["stores"]["acme-es"]["secrets"] = [{"env": "PATH"}]
    with pytest.raises(SettingsError, match="a secret stands in the settings file"):
        config.parse(tree, {})


@pytest.mark.parametrize(("token", "account"), [(TOKEN, "es"), (OLD, "fr"), ("n" * 24, "fr")])
async def test_the_token_tells_the_account_where_a_store_feeds_several(
    keeper: RecordingKeeper, token: str, account: str
) -> None:
    settings = config.parse(routed([TOKEN], [OLD, "n" * 24]), {})
    webhooks = Webhooks(settings, PLATFORMS, keeper, lambda: NOW)
    callbacks = Callbacks(settings, keeper, webhooks, lambda: NOW)
    app = Gateway(webhooks, lambda: None, callbacks)
    async with client_of(app) as client:
        wrong = await client.get(f"/callbacks/acme-es/{'x' * 24}/unsubscribed", params=NAMED)
        answer = await client.get(f"/callbacks/acme-es/{token}/unsubscribed", params=NAMED)
    assert (wrong.status_code, answer.status_code) == (401, 200)
    said = statement_of(kept(keeper))
    assert said is not None
    assert said.account == account
