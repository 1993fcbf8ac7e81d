"""A person leaves everything, while all of it runs: webhooks in, every copy out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.integration.operating import SHOPIFY, WOO, Site, shopify_order, woo_order
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

#: Values that stand nowhere by chance.
ADDRESS, NAME, SURNAME = "planted.person@xq7.example", "Quillonwick", "Zephandrel"
STREET, PHONE, CODE = "17 Brindlemoor Wharf", "+34600717177", "PLANTEDCODE77"
PLANTED = tuple(value.lower().encode() for value in (ADDRESS, NAME, SURNAME, STREET, PHONE, CODE))
OTHERS = 12


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`pipeline up` with a Kafka of its own, whose files are looked through."""
    directory = tmp_path_factory.mktemp("erase")
    made = Site(directory, {"kafka": {"shop_partitions": 4, "account_partitions": 2}})
    try:
        made.start()
        yield made
    finally:
        made.stop()


def command(site: Site, *words: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "erase", *words, "--config", str(site.path)]


def run(site: Site, *words: str, code: int = 0) -> bytes:
    """What `pipeline erase` says."""
    done = subprocess.run(command(site, *words), capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout


def person(order: dict[str, Any]) -> dict[str, Any]:
    """An order made the planted person's."""
    where = {
        "first_name": NAME,
        "last_name": SURNAME,
        "address1": STREET,
        "address_1": STREET,
        "phone": PHONE,
    }
    for part in ("billing_address", "shipping_address", "billing", "shipping"):
        if isinstance(order.get(part), dict):
            order[part] = order[part] | {name: value for name, value in where.items() if name in order[part]}
    if "customer" in order:
        order["customer"] = order["customer"] | where | {"id": 4_711, "email": ADDRESS}
        order |= {"email": ADDRESS, "contact_email": ADDRESS}
        order["discount_codes"] = [{"code": CODE, "amount": "1.00", "type": "fixed_amount"}]
    else:
        order["billing"] = order["billing"] | {"email": ADDRESS}
    return order


def customer(number: int, email: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "email": email,
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "created_at": "2026-01-01T10:00:00Z",
        "updated_at": "2026-01-02T10:00:00Z",
        **changes,
    }


def send_all(site: Site) -> None:
    """What shops say of the person and of others."""
    for number in range(1, OTHERS + 1):
        assert site.shopify("orders/paid", shopify_order(number)) == 200
        assert site.woocommerce(woo_order(number)) == 200
    planted = customer(4_711, ADDRESS, first_name=NAME, last_name=SURNAME, phone=PHONE)
    assert site.shopify("customers/create", planted) == 200
    assert site.shopify("orders/paid", person(shopify_order(900))) == 200
    assert (
        site.shopify("orders/updated", person(shopify_order(900, updated_at="2027-02-02T10:00:00Z"))) == 200
    )
    # In a currency that the account does not take: a dead letter.
    assert site.shopify("orders/paid", person(shopify_order(901, financial_status="odd"))) == 200
    # Names the person by the account's id alone.
    gone = {"id": 900}
    assert site.shopify("orders/delete", {"id": 902} | gone | {"id": 902}) == 200


def settle(site: Site) -> None:
    """Everything that was sent has ended."""

    def ended() -> bool:
        text = httpx.get(f"{site.urls['deliver']}/metrics", timeout=10).text
        pending = [line for line in text.splitlines() if line.startswith("pipeline_account_records")]
        return not any('outcome="pending"' in line and not line.endswith(" 0.0") for line in pending)

    wait_until(lambda: len(site.connectif.ledger("acme", "purchases")) >= OTHERS, 60, every=0.3)
    wait_until(ended, 60, every=0.3)


def holding(directory: Path, *, kafka: bool = True) -> dict[str, list[str]]:
    """Files with planted values, and which."""
    found: dict[str, list[str]] = {}
    for path in directory.rglob("*"):
        if not path.is_file() or (not kafka and "kafka" in path.parts):
            continue
        with contextlib.suppress(OSError):
            text = path.read_bytes().lower()
            values = [value.decode() for value in PLANTED if value in text]
            if values:
                found[str(path.relative_to(directory))] = values
    return found


def contacts(site: Site, account: str) -> dict[str, Any]:
    items = site.connectif.ledger(account, "contacts")
    return {item["key"]: item["body"] for item in items if not item["deleted"]}


def test_a_person_leaves_every_copy_and_nobody_else_does(site: Site) -> None:
    send_all(site)
    settle(site)
    data = Path(site.tree["data_dir"])
    wait_until(lambda: ADDRESS in contacts(site, "acme"), 60, every=0.3)
    assert holding(data)
    before = {name: one for name, one in contacts(site, "acme").items() if name != ADDRESS}
    purchases = site.connectif.ledger("acme", "purchases")
    counts = orjson.loads(run(site, "--store", SHOPIFY, "--email", ADDRESS, "--dry-run", "--json"))
    assert counts["shop.orders"] >= 2
    assert counts["coupons.used"] >= 1
    assert counts["deadletters"] >= 1
    assert ADDRESS in contacts(site, "acme")
    proof = orjson.loads(run(site, "--store", SHOPIFY, "--email", ADDRESS.upper(), "--yes", "--json"))
    assert proof["status"] == "done", proof
    assert proof["still_named"] == {}
    assert ADDRESS not in orjson.dumps(proof).decode()
    assert contacts(site, "acme") == before
    assert site.connectif.ledger("acme", "purchases") == purchases
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not holding(data), 30, every=1.0)
    assert holding(data) == {}


def test_the_woo_store_is_another_matter(site: Site) -> None:
    assert site.tree["stores"][WOO]["account"] == "woo"
    assert len(contacts(site, "woo")) == OTHERS
