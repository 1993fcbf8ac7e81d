"""`schemas/` is what the code says, and what the code writes is what `schemas/` says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from typer.testing import CliRunner

from pipeline import asyncapi, schemas
from pipeline.cli import app
from pipeline.config import Settings
from pipeline.deliver.partition import receipts
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Stamp
from pipeline.deliver.state.key import Key
from pipeline.events import Kind, Lane, RawEvent
from pipeline.kafka import topics
from pipeline.kafka.replays import ReplayMark, ReplayMode, replay_headers
from pipeline.records import (
    Contact,
    ContactRecord,
    Coupon,
    CouponRecord,
    Line,
    Op,
    Origin,
    Outcome,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Receipt,
    RecordBase,
    RecordKind,
    Source,
)
from pipeline.shops.base import Rejected
from pipeline.translate import reading, rules

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "tests" / "data" / "specifications" / "asyncapi-3.0.0.json"
COMMON: dict[str, Any] = {
    "account": "acme-es",
    "store": "acme-es",
    "version": 1_714_983_630_000,
    "source": Source(topic="shop.orders", partition=3, offset=17),
    "origin": Origin.ORDER,
    "received_ms": 1_714_983_631_000,
    "notes": ("unit_price_rounded",),
}
PURCHASE = Purchase(
    purchase_id="5912345678901234567",
    contact_email="ada@example.com",
    cart_id="c-1",
    purchase_date="2024-05-06T08:14:58Z",
    total_price=Decimal("40.85"),
    total_quantity=2,
    lines=(
        Line(
            product_id="8012",
            name="T-shirt",
            url="https://acme.example/products/8012",
            unit_price=Decimal("17.95"),
            quantity=2,
            price=Decimal("35.90"),
        ),
    ),
)
RECORDS: list[RecordBase] = [
    ContactRecord(id="ada@example.com", body=Contact(email="ada@example.com", name="Ada"), **COMMON),
    ProductRecord(id="8012", body=Product(product_id="8012", unit_price=Decimal("19.95")), **COMMON),
    PurchaseRecord(id=PURCHASE.purchase_id, body=PURCHASE, **COMMON),
    PurchaseRecord(id=PURCHASE.purchase_id, body=None, op=Op.RETRACT, **COMMON),
    CouponRecord(id="set/code", body=Coupon(coupon_set_id="set", code="code"), **COMMON),
]
EVENT = RawEvent(
    store="acme-es",
    platform="shopify",
    kind=Kind.ORDER,
    entity="5912345678901234567",
    topic="orders/paid",
    delivery="orders/paid:1",
    received_ms=1_714_983_631_000,
    body=b"{}",
    lane=Lane.LIVE,
    headers={"x-shopify-topic": "orders/paid"},
)


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8"))
    return found


def test_the_files_are_what_the_code_says() -> None:
    assert schemas.drifted(ROOT / "schemas") == [], "run `pipeline schemas`"
    assert {path.name for path in (ROOT / "schemas").iterdir()} == set(schemas.files())


def test_the_same_code_makes_the_same_bytes() -> None:
    assert schemas.files() == schemas.files()


def test_check_names_what_drifted_and_writing_mends_it(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["schemas", "--directory", str(tmp_path)]).exit_code == 0
    assert run(app, ["schemas", "--check", "--directory", str(tmp_path)]).exit_code == 0
    (tmp_path / "receipt.json").write_text("{}")
    checked = run(app, ["schemas", "--check", "--directory", str(tmp_path)])
    assert checked.exit_code == 1
    assert "receipt.json" in checked.output
    assert schemas.write(tmp_path) == ["receipt.json"]
    assert schemas.drifted(tmp_path) == []


@pytest.mark.parametrize("name", [name for name in schemas.files() if name.endswith(".json")])
def test_every_schema_is_one(name: str) -> None:
    assert validator_for(schema(name)) is Draft202012Validator
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.kind}-{record.op}")
def test_a_record_as_it_is_written_is_valid(record: RecordBase) -> None:
    written = json.loads(record.model_dump_json())
    described = Draft202012Validator(schema(f"{written['kind']}-record.json"))
    described.validate(written)
    described.validate(
        {name: value for name, value in written.items() if value is not None or name == "body"}
    )


def test_money_is_text_so_that_no_float_touches_it() -> None:
    written = json.loads(RECORDS[2].model_dump_json())
    assert written["body"]["total_price"] == "40.85"
    written["body"]["total_price"] = 40.85
    assert not Draft202012Validator(schema("purchase-record.json")).is_valid(written)


def test_a_receipt_as_it_is_written_is_valid() -> None:
    receipt = Receipt(
        account="acme-es",
        store="acme-es",
        kind=RecordKind.PURCHASE,
        id="1",
        version=1,
        source=COMMON["source"],
        record=COMMON["source"],
        outcome=Outcome.DELIVERED,
        lane=Lane.LIVE,
        received_ms=1,
        at_ms=2,
    )
    Draft202012Validator(schema("receipt.json")).validate(json.loads(receipt.model_dump_json()))


def test_the_headers_of_an_event_are_those_described() -> None:
    written = {name: value.decode() for name, value in EVENT.to_kafka_headers()}
    described = schema("raw-event-headers.json")
    Draft202012Validator(described).validate(written)
    traced = {"traceparent"}  # where traces are on
    ours = set(described["properties"]) - traced
    assert {name for name in written if name.startswith("pipeline-")} == ours
    assert all(item["description"] for item in described["properties"].values())


def test_the_headers_of_both_stages_dead_letters_are_those_described() -> None:
    described = schema("dead-letter-headers.json")
    message = SimpleNamespace(key=EVENT.key, value=EVENT.body, headers=EVENT.to_kafka_headers())
    letter = reading.dead_letter(
        message,
        Rejected("no_email", "email", "no contact can hold this"),
        rules.EventPosition("shop.orders", 3, 17),
        account="acme-es",
        at_ms=1,
        max_bytes=1_000_000,
    )
    stamp = Stamp("acme-es", 1, ("shop.orders", 3, 17), 4, Origin.ORDER, Lane.LIVE, 1)
    ending = Ending(Outcome.DEAD, "invalid", "422")
    key = Key(RecordKind.PURCHASE, "1")
    delivered = receipts.dead_headers(receipts.AccountPartition("acme-es", 0), key, stamp, ending, 1)
    for headers in (letter.headers, delivered):
        written = {name: value.decode() for name, value in headers}
        Draft202012Validator(described).validate(written)
        assert {name for name in written if name.startswith("dead-")} == set(described["properties"])


def test_the_headers_of_a_repeated_event_are_those_described() -> None:
    described = schema("replay-headers.json")
    for trigger in (False, True):
        mark = ReplayMark("r1", "shop.orders", 3, 7, ReplayMode.FORCE, trigger)
        written = {name: value.decode() for name, value in replay_headers(EVENT.to_kafka_headers(), mark)}
        Draft202012Validator(described).validate(written)
        assert described["properties"].keys() - {"replay-trigger"} <= written.keys()


def test_the_asyncapi_file_keeps_the_specification() -> None:
    document = yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text(encoding="utf-8"))
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    validator_for(specification)(specification).validate(document)


def test_the_yaml_reads_back_as_the_tree_it_was_made_from() -> None:
    made = asyncapi.text(Settings())
    assert yaml.safe_load(made) == asyncapi.document(Settings())
    assert "&id" not in made, "part of the tree stands for another, which a reader has to look up"


def test_every_reference_resolves() -> None:
    document = asyncapi.document(Settings())
    for reference in references(document):
        target, _, pointer = reference.partition("#")
        node: Any = json.loads(schemas.files()[target.removeprefix("./")]) if target else document
        for part in filter(None, pointer.split("/")):
            node = node[part.replace("~1", "/")]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_topic_is_described_and_used() -> None:
    document = asyncapi.document(Settings())
    assert {channel["address"] for channel in document["channels"].values()} == {
        topic.name for topic in topics.table(Settings())
    }
    sent = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert sent == {f"#/channels/{name}" for name in document["channels"]}


def test_every_message_is_on_a_channel() -> None:
    document = asyncapi.document(Settings())
    used = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert used == set(document["components"]["messages"])
