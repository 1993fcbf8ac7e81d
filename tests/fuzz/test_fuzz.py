"""Every target of `make fuzz`, for some seconds; and that a fault is found and left to be looked at."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from pipeline.shops.registry import PLATFORMS
from tests.fuzz.bodies import pull_seeds, read_pull, read_webhook, webhook_seeds
from tests.fuzz.files import targets as files
from tests.fuzz.mutating import change, places
from tests.fuzz.run import every_target, fuzz

SECONDS = 5.0


@pytest.mark.slow
@pytest.mark.parametrize("name", every_target())
def test_no_bytes_make_a_reader_fail(name: str) -> None:
    outcome = fuzz(*every_target()[name], SECONDS)
    assert outcome.inputs > 20
    assert outcome.failed is None, outcome.failed[1]


def test_a_reader_that_fails_is_found_with_a_small_input() -> None:
    def reads(data: bytes) -> None:
        assert b"\xff" not in data, "not to be read"

    outcome = fuzz([b"plain text"], reads, 60.0)
    assert outcome.failed is not None
    data, said = outcome.failed
    assert b"\xff" in data
    assert "not to be read" in said


def test_a_damaged_archive_of_purchases_is_refused_in_words() -> None:
    """Found by `make fuzz`: a place before the archive's beginning, and other errors of its reader."""
    seeds, read = files()["exports"]
    packed = seeds[1]
    for at in range(len(packed) - 60, len(packed)):
        for value in (0x00, 0x7D, 0xFF):
            read(packed[:at] + bytes([value]) + packed[at + 1 :])


def test_a_seed_is_changed_and_stays_within_bounds() -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    made = {change(b'order x\n\n{"id": 1, "lines": [{"price": "1"}]}', chance, 8) for _ in range(300)}
    assert len(made) > 200
    assert max(map(len, made)) < 100_000


def _each_place(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document; of the elements of a list, the first."""
    return (place for place in places(tree) if isinstance(place[0], dict) or place[1] == 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, platform in PLATFORMS.items() if platform.pull])
def test_whatever_stands_where_a_word_belongs_a_page_is_rows_or_a_refusal(name: str) -> None:
    for seed in pull_seeds(PLATFORMS[name]):
        head, _, rest = seed.partition(b"\n\n")
        tree = orjson.loads(rest)
        for node, key in list(_each_place(tree)):
            was = node[key]
            values: list[Any] = [[], {}, 7]
            for odd in values:
                node[key] = odd
                read_pull(PLATFORMS[name], head + b"\n\n" + orjson.dumps(tree))
            node[key] = was


@pytest.mark.parametrize("odd", [[], {}, [1], {"a": 1}, True, 7])
def test_a_list_where_a_word_belongs_is_no_fault_of_the_program(odd: Any) -> None:
    """Found by `make fuzz`: Python looks a list up in no set."""
    email = {"emailAddress": "a@b.example", "marketingState": odd}
    customer = {
        "id": "gid://shopify/Customer/1",
        "updatedAt": "2026-01-01T00:00:00Z",
        "defaultEmailAddress": email,
    }
    page = {"data": {"customers": {"nodes": [customer], "pageInfo": {"hasNextPage": False}}}}
    read_pull(PLATFORMS["shopify"], b"customer\n\n" + orjson.dumps({"body": page}))
    order = {"id": 1, "status": odd, "date_created_gmt": "2026-01-01T00:00:00", "total": "1"}
    read_pull(PLATFORMS["woocommerce"], b"order\n\n" + orjson.dumps({"body": [order]}))
    product = {"id": 1, "type": odd, "price": "0", "status": "publish", "name": "Mug"}
    read_webhook(PLATFORMS["woocommerce"], b"product product.updated\n\n" + orjson.dumps(product))
    platform = PLATFORMS["generic"]
    for seed in webhook_seeds(platform):
        head, _, body = seed.partition(b"\n\n")
        envelope = orjson.loads(body)
        envelope["data"]["total_refunded"] = odd
        read_webhook(platform, head + b"\n\n" + orjson.dumps(envelope))
