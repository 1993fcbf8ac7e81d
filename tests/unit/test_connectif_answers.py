"""Every response, and every way of getting none, as one typed value."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connectif.answers import AnswerKind, no_answer, read_answer, scrub
from pipeline.connectif.rates import read_rate

WALL = 1_580_919_100.0


def _answer(status: int, json: object = None, **more: object) -> httpx.Response:
    if json is None:
        return httpx.Response(status, **more)  # type: ignore[arg-type]
    return httpx.Response(status, json=json, **more)  # type: ignore[arg-type]


def _custom(code: str, **extras: object) -> httpx.Response:
    return _answer(400, {"status": 400, "title": "Bad Request", "detail": "no", "code": code, **extras})


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (_answer(201, {"id": "1"}), AnswerKind.CREATED),
        (_answer(200), AnswerKind.OK),
        (_answer(204), AnswerKind.OK),
        (_answer(207, text="odd"), AnswerKind.OK),
        (_custom("E0101"), AnswerKind.MISSING_CONTACT),
        (_custom("E0102", productIds=["p"]), AnswerKind.MISSING_PRODUCTS),
        (_custom("E0103"), AnswerKind.BAD_DOMAIN),
        (_custom("E0201"), AnswerKind.BAD_DOMAIN),
        (_custom("E0401"), AnswerKind.QUEUE_FULL),
        (_custom("E9999"), AnswerKind.INVALID),
        (_answer(400, text="<html>"), AnswerKind.INVALID),
        (_answer(401, html="<h1>401</h1>"), AnswerKind.UNAUTHORISED),
        (_answer(403), AnswerKind.FORBIDDEN),
        (_answer(404), AnswerKind.ABSENT),
        (_answer(404, {"status": 404, "title": "Not Found"}), AnswerKind.ABSENT),
        (_answer(404, html="<h1>404</h1>"), AnswerKind.UNAVAILABLE),
        (_answer(200, html="<h1>Back soon</h1>"), AnswerKind.UNAVAILABLE),
        (_answer(405, html="<h1>405</h1>"), AnswerKind.UNAVAILABLE),
        (_answer(407), AnswerKind.UNAVAILABLE),
        (_answer(408), AnswerKind.UNAVAILABLE),
        (_answer(410), AnswerKind.UNAVAILABLE),
        (_answer(409, {"status": 409, "title": "Conflict"}), AnswerKind.ALREADY),
        (_answer(413, html="<h1>413</h1>"), AnswerKind.INVALID),
        (_answer(422, {"validationErrors": []}), AnswerKind.INVALID),
        (_answer(429, text="slow down"), AnswerKind.LIMITED),
        (_answer(500), AnswerKind.UNAVAILABLE),
        (_answer(503, text="<html>"), AnswerKind.UNAVAILABLE),
        (_answer(302, headers={"location": "https://elsewhere"}), AnswerKind.UNAVAILABLE),
    ],
)
def test_each_status_has_its_meaning(response: httpx.Response, kind: AnswerKind) -> None:
    assert read_answer(response, WALL).kind is kind


@pytest.mark.parametrize("name", ["productIds", "productsId"])
def test_both_spellings_of_the_refused_products_are_read(name: str) -> None:
    answer = read_answer(_custom("E0103", **{name: ["p1", "p2"]}, allowedDomains=["https://a"]), WALL)
    assert (answer.ids, answer.domains) == (("p1", "p2"), ("https://a",))


def test_a_body_is_parsed_only_where_it_says_it_is_json() -> None:
    assert read_answer(_answer(200, text='{"id": 1}'), WALL).body is None
    assert read_answer(_answer(200, {"id": 1}), WALL).body == {"id": 1}
    broken = httpx.Response(200, content=b"{", headers={"content-type": "application/json"})
    assert read_answer(broken, WALL).body is None


def test_a_validation_error_says_where_and_why_without_personal_data() -> None:
    answer = read_answer(
        _answer(
            422,
            {
                "detail": "One or more validation error occurred.",
                "validationErrors": [{"path": "/_email", "reason": "ann@example.com is not valid"}],
            },
        ),
        WALL,
    )
    assert answer.detail == "422; One or more validation error occurred.; /_email: <email> is not valid"


def test_only_what_never_left_is_known_not_to_be_carried_out() -> None:
    assert no_answer(httpx.ConnectError("refused")).carried_out is False
    assert no_answer(httpx.ConnectTimeout("slow")).kind is AnswerKind.UNAVAILABLE
    assert no_answer(httpx.ReadError("broken")).carried_out is None
    assert no_answer(TimeoutError()).kind is AnswerKind.TIMEOUT
    assert read_answer(_answer(500), WALL).carried_out is None
    assert read_answer(_answer(422), WALL).carried_out is False


@given(st.text(), st.emails())
def test_no_address_survives_scrubbing(text: str, address: str) -> None:
    cleaned = scrub(f"{text} {address} {text}")
    assert len(cleaned) <= 300
    assert address not in cleaned


@given(st.integers(100, 599), st.binary(max_size=200), st.sampled_from(["application/json", "text/html", ""]))
def test_no_body_can_break_the_reader(status: int, body: bytes, media: str) -> None:
    read_answer(httpx.Response(status, content=body, headers={"content-type": media}), WALL)


def _rate(family: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {f"{family}-Limit": limit, f"{family}-Remaining": remaining, f"{family}-Reset": reset}


@pytest.mark.parametrize(
    ("headers", "limit", "remaining", "reset_in"),
    [
        (
            {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "98", "X-RateLimit-Reset": "1580919168"},
            100,
            98,
            68,
        ),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 100, 0, 12),
        (
            {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "5", "RateLimit-Reset": "30"},
            100,
            5,
            30,
        ),
        ({"X-RateLimit-Reset": "1580919168000"}, None, None, 68),
        ({"X-RateLimit-Reset": "soon", "X-RateLimit-Limit": "-1"}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_rate_headers_of_every_family_are_read(
    headers: dict[str, str], limit: int | None, remaining: int | None, reset_in: float | None
) -> None:
    rate = read_rate(httpx.Headers(headers), WALL)
    assert (rate.limit, rate.remaining, rate.reset_in) == (limit, remaining, reset_in)


def test_a_reset_is_taken_by_the_servers_own_clock() -> None:
    headers = {"X-RateLimit-Reset": "1580919168", "Date": "Wed, 05 Feb 2020 16:12:18 GMT"}
    assert read_rate(httpx.Headers(headers), wall=0.0).reset_in == 30


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("Wed, 05 Feb 2020 16:12:18 GMT", 38), ("later", None)]
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_rate(httpx.Headers({"Retry-After": value}), WALL).retry_after == seconds
