"""What a shop's API answers, by its type."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sync.answers import (
    LONGEST_PAUSE,
    Answer,
    Empty,
    Failed,
    Found,
    Missing,
    Refused,
    TooMany,
    Unauthorised,
    label,
    read,
    retry_after,
)

ANSWERS: list[tuple[httpx.Response, Answer]] = [
    (httpx.Response(200, content=b'{"id":1}'), Found(b'{"id":1}', {"id": 1})),
    (httpx.Response(200, content=b"[]"), Found(b"[]", [])),
    (httpx.Response(200, content=b"<html>maintenance</html>"), Failed("not_json")),
    (httpx.Response(200, content=b"Notice: undefined {}"), Failed("not_json")),
    (httpx.Response(200, content=b""), Failed("not_json")),
    (httpx.Response(204), Empty()),
    (httpx.Response(206, content=b"{}"), Failed("odd_status")),
    (httpx.Response(302, headers={"location": "https://elsewhere.example"}), Failed("redirect")),
    (httpx.Response(400), Refused(400)),
    (httpx.Response(401), Unauthorised(401)),
    (httpx.Response(403, content=b"<html>firewall</html>"), Unauthorised(403)),
    (httpx.Response(404, content=b'{"message":"no"}'), Missing(404)),
    (httpx.Response(410), Missing(410)),
    (httpx.Response(429), TooMany(None)),
    (httpx.Response(429, headers={"retry-after": "12"}), TooMany(12.0)),
    (httpx.Response(430), TooMany(None)),
    (httpx.Response(503), Failed("server_error")),
    (httpx.Response(503, headers={"retry-after": "3"}), TooMany(3.0)),
    (httpx.Response(500, content=b'{"id":1}'), Failed("server_error")),
]


@pytest.mark.parametrize(("response", "answer"), ANSWERS)
def test_an_answer_has_one_type(response: httpx.Response, answer: Answer) -> None:
    assert read(response, 0.0) == answer


def test_what_asks_for_no_document_may_be_answered_with_nothing_but_not_with_a_page() -> None:
    assert read(httpx.Response(200, content=b""), 0.0, "POST") == Empty()
    assert read(httpx.Response(200, content=b"<html>"), 0.0, "POST") == Failed("not_json")


@given(st.integers(200, 599), st.binary(max_size=40), st.text(max_size=20))
def test_any_answer_has_a_type_and_a_label(status: int, body: bytes, pause: str) -> None:
    headers = {"retry-after": pause.encode("ascii", "ignore").decode()}
    answer = read(httpx.Response(status, content=body, headers=headers), 0.0)
    assert label(answer).isidentifier()
    assert isinstance(answer, Found) <= (status == 200)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("-5", 0.0),
        ("1e9", LONGEST_PAUSE),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 100.0),
        ("Thu, 01 Jan 1960 00:00:00 GMT", 0.0),
    ],
)
def test_the_pause_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, 0.0) == seconds
