"""An order or person is found by its number or address, whatever the body around it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from pipeline import config
from pipeline.events import Kind
from pipeline.trace import find
from pipeline.trace.find import names_address
from pipeline.trace.life import EntityKey
from pipeline.trace.scan import LifeScan


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"email": "Ann@B.Example"}', True),
        (b'{"email": "joann@b.example"}', False),
        (b'{"email": "ann@b.example.org"}', False),
        (b'{"note": "joann@b.example", "email": "ann@b.example"}', True),
        (b'{"email": "ann\\u0040b.example"}', True),
        (b'{"email": "\\u0061nn', False),
        (b"", False),
    ],
)
def test_an_address_is_found_in_a_body_as_a_whole(body: bytes, named: bool) -> None:
    assert names_address(body, b"ann@b.example") is named


class FoundMessages:
    """A scan that finds these messages."""

    def __init__(self, *found: tuple[bytes, bytes]) -> None:
        self._found = found

    def matching(self, _title: str, _topics: Any, wanted: Any) -> Any:
        """Those that are wanted."""
        return (pair for pair in self._found if wanted(*pair))


def order_body(**body: Any) -> bytes:
    """An order's body as PHP writes it: with `/` escaped."""
    return json.dumps(body).replace("/", "\\/").encode()


@pytest.mark.parametrize("number", ["#2026/001", "2026/001", " 2026/001 "])
def test_an_order_is_found_by_its_number_however_that_is_written(number: str) -> None:
    tree = {
        "accounts": {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1"}},
        "stores": {
            "acme": {"platform": "woocommerce", "account": "acme", "domain": "a.example", "secrets": ["s"]}
        },
    }
    scan = FoundMessages(
        (b"acme|order|5", order_body(number="2026/001")),
        (b"acme|order|6", order_body(number="2026/0012", note="2026/001")),
        (b"acme|order|7", b"2026 no JSON 2026"),
        (b"acme|order|9", order_body(documents=[{"status": 404}, {"body": {"number": "2026/001"}}])),
        (b"other|order|8", order_body(number="2026/001")),
    )
    found, more = find.by_number(config.parse(tree, {}), "acme", number, cast("LifeScan", scan))
    assert (found, more) == ([EntityKey("acme", Kind.ORDER, "5"), EntityKey("acme", Kind.ORDER, "9")], 0)


def test_an_address_that_is_in_every_order_is_answered_with_the_newest_and_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(find, "REMEMBERED", 50)
    body = b'{"contact": "shop@acme.example"}'
    scan = FoundMessages(*((f"acme|order|{number}".encode(), body) for number in range(100)))
    found, more = find.by_email("acme", "Shop@acme.example", cast("LifeScan", scan))
    assert [key.id for key in found] == [str(number) for number in range(80, 100)]
    assert more == 80
