"""Who may read what a worker remembers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from pipeline.http_access import has_token, refusal
from pipeline.observe import PARAMETERS, QUERY_BYTES, Pages, observe_app

TOKEN = SecretStr("s3kr1t")


def asked(client: str = "127.0.0.1", host: str = "127.0.0.1:8082", **headers: str) -> dict[str, Any]:
    """A request."""
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "client": (client, 5_000),
        "method": "GET",
        "path": "/state",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "query_string": b"account=acme",
    }


def error(scope: dict[str, Any], token: SecretStr | None) -> tuple[int, str]:
    """How it is refused; 200 where it is not."""
    refused = refusal(scope, token)
    return (200, "") if refused is None else (refused[0], orjson.loads(refused[1])["error"])


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8082"),
        ("127.8.0.1", "localhost"),
        ("::1", "[::1]:8082"),
        ("::ffff:127.0.0.1", "localhost:8082"),
    ],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_caller_on_this_machine_needs_no_token(client: str, host: str, token: SecretStr | None) -> None:
    assert error(asked(client, host), token) == (200, "")


@pytest.mark.parametrize("client", ["10.0.0.9", "2001:db8::1", "", "testclient"])
def test_a_caller_from_elsewhere_is_refused_where_no_token_is_set(client: str) -> None:
    assert error(asked(client), None) == (403, "loopback_only")
    assert error(asked(client, authorization="Bearer s3kr1t"), None) == (403, "loopback_only")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, (401, "token_missing")),
        ({"authorization": "Basic s3kr1t"}, (401, "token_missing")),
        ({"authorization": "Bearer "}, (401, "token_missing")),
        ({"authorization": "Bearer guessed"}, (401, "token_wrong")),
        ({"authorization": "Bearer s3kr1té"}, (401, "token_wrong")),
        ({"authorization": "bearer s3kr1t"}, (200, "")),
    ],
)
def test_a_caller_from_elsewhere_needs_the_token(sent: dict[str, str], expected: tuple[int, str]) -> None:
    assert error(asked("10.0.0.9", **sent), TOKEN) == expected


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "via", "x_real_ip", "x_forwarded_host"])
def test_a_request_through_a_proxy_on_this_machine_counts_as_one_from_elsewhere(header: str) -> None:
    assert error(asked(**{header: "127.0.0.1"}), None) == (403, "loopback_only")


@pytest.mark.parametrize("host", ["evil.example:8082", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_a_web_page_that_names_its_own_host_gets_nothing_from_this_machine(host: str) -> None:
    assert error(asked(host=host), TOKEN) == (401, "token_missing")


class Answer:
    """What an application sends."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""

    async def __call__(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


async def answered(scope: dict[str, Any], token: SecretStr | None = None) -> Answer:
    """The answer of a process with one page, which repeats its query."""

    async def page(query: Any) -> tuple[int, bytes]:
        return 200, orjson.dumps(query)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    answer = Answer()
    await observe_app("deliver", lambda: None, Pages({"/state": page}, token))(scope, receive, answer)
    return answer


async def test_a_page_is_answered_to_this_machine_and_refused_elsewhere() -> None:
    assert (await answered(asked())).body == b'{"account":"acme"}'
    assert (await answered(asked("10.0.0.9"))).status == 403
    assert (await answered(asked("10.0.0.9"), TOKEN)).status == 401


async def test_readiness_and_metrics_are_for_everybody() -> None:
    assert (await answered(asked("10.0.0.9") | {"path": "/readyz"})).status == 200


@pytest.mark.parametrize(
    "query",
    [b"id=" + b"x" * QUERY_BYTES, b"&".join(b"a%d=1" % n for n in range(PARAMETERS + 1)), b"id=%ff", b"\xff"],
)
async def test_a_query_without_an_end_or_without_sense_is_a_typed_400(query: bytes) -> None:
    answer = await answered(asked() | {"query_string": query})
    assert (answer.status, orjson.loads(answer.body)["error"]) == (400, "query")


async def test_a_page_changes_nothing_and_is_only_read() -> None:
    assert (await answered(asked() | {"method": "POST"})).status == 405


def test_whoever_sends_no_token_has_none_whatever_the_process_has() -> None:
    for sent in ({}, {b"authorization": b"Bearer "}, {b"authorization": b"Basic x"}):
        for token in (None, SecretStr(""), TOKEN):
            assert not has_token(sent, token)
