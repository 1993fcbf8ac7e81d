"""Every response, and every way of getting none, as one typed value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.connectif import forms
from pipeline.connectif.answers import AnswerKind, Cause, no_answer, read_answer
from pipeline.connectif.blanks import scrub
from pipeline.connectif.rates import RateHint, read_rate

WALL = 1_580_919_100.0


def _answer(status: int, body: object = None, **more: object) -> httpx.Response:
    if body is None:
        return httpx.Response(status, **more)  # type: ignore[arg-type]
    headers = {"content-type": "application/json; charset=utf-8"}
    return httpx.Response(status, content=json.dumps(body).encode(), headers=headers)


def _custom(code: str, **extras: object) -> httpx.Response:
    return _answer(400, {"status": 400, "title": "Bad Request", "detail": "no", "code": code, **extras})


def _error(status: int, **more: object) -> httpx.Response:
    return _answer(status, {"status": status, "title": "No", "detail": "no", **more})


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (_answer(201, {"id": "1"}), AnswerKind.CREATED),
        (_answer(200, {}), AnswerKind.OK),
        (_answer(204), AnswerKind.OK),
        (_custom("E0101"), AnswerKind.MISSING_CONTACT),
        (_custom("E0102", productIds=["p"]), AnswerKind.MISSING_PRODUCTS),
        (_custom("E0103"), AnswerKind.BAD_DOMAIN),
        (_custom("E0201"), AnswerKind.BAD_DOMAIN),
        (_custom("E0401"), AnswerKind.QUEUE_FULL),
        (_custom("E9999"), AnswerKind.INVALID),
        (_error(400), AnswerKind.INVALID),
        (_answer(401, html="<h1>401</h1>"), AnswerKind.UNAUTHORISED),
        (_error(403), AnswerKind.FORBIDDEN),
        (_error(404), AnswerKind.ABSENT),
        (_answer(409, {"status": 409, "title": "Conflict"}), AnswerKind.ALREADY),
        (_error(413), AnswerKind.INVALID),
        (_error(415), AnswerKind.INVALID),
        (_error(422, validationErrors=[]), AnswerKind.INVALID),
        (_answer(429, text="slow down"), AnswerKind.LIMITED),
        (_error(500), AnswerKind.UNAVAILABLE),
        (_answer(503, text="<html>"), AnswerKind.UNAVAILABLE),
        (_answer(302, headers={"location": "https://elsewhere"}), AnswerKind.UNAVAILABLE),
    ],
)
def test_each_status_has_its_meaning(response: httpx.Response, kind: AnswerKind) -> None:
    assert read_answer(response, WALL).kind is kind


FOREIGN = [
    pytest.param({"html": "<h1>No</h1>"}, id="a page"),
    pytest.param({"text": "no"}, id="text"),
    pytest.param({}, id="nothing"),
    pytest.param({"json": []}, id="a list"),
    pytest.param({"json": "no"}, id="a text"),
    pytest.param({"json": {"message": "no healthy upstream"}}, id="a proxy's JSON"),
    pytest.param({"json": {"status": 500, "title": "No", "detail": "no"}}, id="another status"),
    pytest.param({"json": {"status": True, "title": "No"}}, id="no status"),
    pytest.param({"json": {"detail": "Not Found"}}, id="without a status"),
    pytest.param({"content": b"{", "headers": {"content-type": "application/json"}}, id="broken JSON"),
    pytest.param({"text": '{"status": 409, "title": "Conflict"}'}, id="JSON that does not say so"),
]


@pytest.mark.parametrize("said", FOREIGN)
@pytest.mark.parametrize(
    "status", [400, 402, 403, 404, 405, 407, 408, 409, 410, 413, 414, 415, 422, 431, 451]
)
def test_a_refusal_in_no_form_of_connectifs_refuses_nothing(status: int, said: Mapping[str, Any]) -> None:
    answer = read_answer(httpx.Response(status, **said), WALL)
    assert (answer.kind, answer.cause, answer.label) == (AnswerKind.UNAVAILABLE, Cause.FOREIGN, "foreign")
    assert answer.carried_out is None


@pytest.mark.parametrize("status", [402, 405, 407, 408, 410, 421, 425, 431])
def test_a_status_that_connectif_does_not_use_is_of_something_in_between(status: int) -> None:
    assert read_answer(_error(status), WALL).cause is Cause.FOREIGN


GOOD_FORMS: list[tuple[forms.Form, object]] = [
    (forms.CONTACT_WRITTEN, {"_email": "a@b.example"}),
    (forms.CONTACT_WRITTEN, {}),
    (forms.CONTACT_WRITTEN, None),
    (forms.PRODUCT_WRITTEN, {"productId": "p1"}),
    (forms.PRODUCT_WRITTEN, None),
    (forms.CREATED, {"id": "64a0"}),
    (forms.CREATED, {"id": 7}),
    (forms.PURCHASE_FOUND.of("O1"), {"purchaseId": "o1"}),
    (forms.LISTED, {"results": [], "links": {}}),
    (forms.LISTED, []),
    (forms.DELETED, None),
    (forms.DELETED, {}),
]


@pytest.mark.parametrize(("form", "body"), GOOD_FORMS)
def test_a_success_is_one_in_its_own_form(form: forms.Form, body: object) -> None:
    response = httpx.Response(204) if body is None else _answer(200, body)
    answer = read_answer(response, WALL, form)
    assert (answer.good, answer.carried_out) == (True, True)


ODD_IDS: list[object] = [{"id": odd} for odd in ("", None, True, "../../contacts", "\ud83d", "a" * 200)]
BAD_FORMS: list[tuple[forms.Form, object]] = [
    *[(form, {"message": "no healthy upstream"}) for form in (forms.CONTACT_WRITTEN, forms.PRODUCT_WRITTEN)],
    *[(form, {"status": "ok"}) for form in (forms.CREATED, forms.FOUND, forms.LISTED, forms.DELETED)],
    *[(form, {}) for form in (forms.CREATED, forms.FOUND, forms.PURCHASE_FOUND, forms.LISTED)],
    *[(form, None) for form in (forms.CREATED, forms.FOUND, forms.PURCHASE_FOUND, forms.LISTED)],
    *[(forms.CREATED, body) for body in ODD_IDS],
    (forms.PURCHASE_FOUND.of("o1"), {"id": "1", "purchaseId": "o2"}),
    (forms.LISTED, {"results": {}}),
]


@pytest.mark.parametrize(
    ("form", "own"),
    [
        (forms.PURCHASE_CREATED, "purchaseId"),
        (forms.PURCHASE_FOUND, "purchaseId"),
        (forms.PURCHASE_DELETED, "purchaseId"),
        (forms.PRODUCT_WRITTEN, "productId"),
        (forms.PRODUCT_FOUND, "productId"),
        (forms.FOUND, "id"),
    ],
)
def test_an_element_that_is_not_the_one_asked_for_is_no_answer(form: forms.Form, own: str) -> None:
    assert read_answer(_answer(200, {"id": "x", own: "O1"}), WALL, form.of("o1")).good
    for other in ("o2", "", None, 7, ["o1"], {"o1": 1}):
        answer = read_answer(_answer(200, {"id": "x", own: other}), WALL, form.of("o1"))
        assert answer.cause is Cause.FOREIGN


def test_a_limit_in_an_answer_that_is_not_connectifs_slows_nothing_down() -> None:
    headers = {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
    for status in (200, 409, 502):
        answer = read_answer(httpx.Response(status, text="<html>", headers=headers), WALL)
        assert answer.rate == RateHint()
    assert read_answer(httpx.Response(429, text="<html>", headers=headers), WALL).rate.limit == 1


@pytest.mark.parametrize(("form", "body"), BAD_FORMS)
def test_a_success_in_another_form_is_none(form: forms.Form, body: object) -> None:
    response = httpx.Response(204) if body is None else _answer(200, body)
    answer = read_answer(response, WALL, form)
    assert (answer.kind, answer.carried_out, answer.cause) == (AnswerKind.UNAVAILABLE, None, Cause.FOREIGN)


@pytest.mark.parametrize("form", [forms.CONTACT_WRITTEN, forms.PRODUCT_WRITTEN, forms.CREATED, forms.DELETED])
@pytest.mark.parametrize("said", [*FOREIGN[:6], FOREIGN[9]])
def test_no_page_is_a_success(form: forms.Form, said: Mapping[str, Any]) -> None:
    assert not read_answer(httpx.Response(200, **said), WALL, form).good


@pytest.mark.parametrize("name", ["productIds", "productsId"])
def test_both_spellings_of_the_refused_products_are_read(name: str) -> None:
    answer = read_answer(_custom("E0103", **{name: ["p1", "p2"]}, allowedDomains=["https://a"]), WALL)
    assert (answer.ids, answer.domains) == (("p1", "p2"), ("https://a",))


def test_a_validation_error_says_where_and_why_without_personal_data() -> None:
    answer = read_answer(
        _answer(
            422,
            {
                "status": 422,
                "detail": "One or more validation error occurred.",
                "validationErrors": [{"path": "/_email", "reason": "ann@example.com is not valid"}],
            },
        ),
        WALL,
    )
    assert answer.detail == "422; One or more validation error occurred.; /_email: <email> is not valid"


def test_only_what_never_left_is_known_not_to_be_carried_out() -> None:
    assert no_answer(httpx.ConnectError("refused")).carried_out is False
    assert no_answer(httpx.ProxyError("the proxy answers 407")).carried_out is False
    assert no_answer(httpx.ConnectTimeout("slow")).kind is AnswerKind.UNAVAILABLE
    assert no_answer(httpx.ReadError("broken")).carried_out is None
    assert no_answer(TimeoutError()).kind is AnswerKind.TIMEOUT
    assert read_answer(_answer(500), WALL).carried_out is None
    assert read_answer(_error(422), WALL).carried_out is False


@given(st.text(), st.emails())
def test_no_address_survives_scrubbing(text: str, address: str) -> None:
    cleaned = scrub(f"{text} {address} {text}")
    assert len(cleaned) <= 300
    assert address not in cleaned


ODD_BODIES = [
    b'{"totalPrice": 1e99999999999999999999}',
    b'{"status": 422, "detail": "x", "v": 1E+999999999999999999999}',
    b'{"a":' + b"9" * 5_000 + b"}",
    b"[" * 200_000,
    b'{"status": 422, "detail": "name too long: \\ud83d"}',
    b'{"status": 422, "title": "\\udc00", "validationErrors": [{"path": null, "reason": null}, 5, null]}',
    b'{"status": 400, "code": {"a": 1}, "title": "x", "detail": [1, 2]}',
    b'{"status": 400, "code": "\\ud83d", "title": "x", "productIds": ["\\ud83d", null, {}, 1.5]}',
    '{"a": 1}'.encode("utf-16"),
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("body", ODD_BODIES)
@pytest.mark.parametrize("status", [200, 400, 422, 500])
def test_the_oddest_body_makes_an_answer_that_can_be_written_down(status: int, body: bytes) -> None:
    response = httpx.Response(status, content=body, headers={"content-type": "application/json"})
    answer = read_answer(response, WALL)
    json.dumps(answer.detail).encode()
    answer.detail.encode()


class _Breaks(httpx.Response):
    @property
    def content(self) -> bytes:
        raise RuntimeError("ann@example.com")


def test_what_nobody_thought_of_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    answer = read_answer(_Breaks(200), WALL)
    assert (answer.kind, answer.carried_out) == (AnswerKind.UNAVAILABLE, None)
    assert "RuntimeError" in caplog.text
    assert "ann" not in caplog.text


_HEADERS = st.dictionaries(
    st.sampled_from(
        ["date", "retry-after", "x-ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "location"]
    ),
    st.one_of(
        st.text("0123456789 .,;=:-+GMTonTueJanFeb", max_size=40),
        st.text("9", min_size=1, max_size=400),
        st.from_regex(
            r"Mon, [0-3][0-9] Jan [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4,12}", fullmatch=True
        ),
    ),
)
_NAMES = st.sampled_from(["id", "status", "title", "detail", "code", "_email", "purchaseId", "productIds"])
_MEDIA = ["application/json", "application/problem+json", "text/html", "json; charset=utf-99", ""]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "status", "title", "detail", "code", "_email", "purchaseId", "productIds"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)
_BODIES = st.one_of(
    st.binary(max_size=200), _JSON.map(json.dumps).map(str.encode), st.sampled_from(ODD_BODIES)
)
_FORMS = [
    forms.CONTACT_WRITTEN,
    forms.PRODUCT_WRITTEN,
    forms.CREATED,
    forms.PURCHASE_FOUND.of("o1"),
    forms.FOUND,
    forms.LISTED,
    forms.DELETED,
]


@settings(max_examples=200)
@given(
    st.integers(100, 999),
    _BODIES,
    st.sampled_from(
        ["application/json", "application/problem+json", "text/html", "json; charset=utf-99", ""]
    ),
    _HEADERS,
    st.sampled_from(_FORMS),
)
def test_whatever_comes_an_answer_comes_out(
    status: int, body: bytes, media: str, headers: dict[str, str], form: forms.Form
) -> None:
    response = httpx.Response(status, content=body, headers={"content-type": media, **headers})
    answer = read_answer(response, WALL, form)
    answer.detail.encode()
    own = _parsed(body) if "json" in media else None
    if answer.good:
        assert 200 <= status < 300
        assert (status == 204 and not body) or isinstance(own, dict) or (form is forms.LISTED)
    elif answer.kind in (AnswerKind.ALREADY, AnswerKind.INVALID, AnswerKind.ABSENT, AnswerKind.FORBIDDEN):
        assert isinstance(own, dict)
        assert own["status"] == status
    assert (answer.carried_out is True) == answer.good
    assert answer.rate.limit is None or answer.rate.limit < 1e15


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


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
        (_rate("X-RateLimit", "9" * 400, "9" * 400, "9" * 400), None, None, None),
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
    ("value", "seconds"),
    [
        ("7", 7),
        ("Wed, 05 Feb 2020 16:12:18 GMT", 38),
        ("Wed, 05 Feb 2020 16:12:18 -0000", 38),
        ("later", None),
        ("9" * 400, 1e15),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0),
        ("Mon, 01 Jan 2024 00:00:00 +999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_rate(httpx.Headers({"Retry-After": value}), WALL).retry_after == seconds
