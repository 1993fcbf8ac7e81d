"""A person leaves everything, while all of it runs: webhooks in, every copy out."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.archive.files import Archive
from tests.integration.operating import SHOPIFY, WOO, Site, shopify_order, woo_order
from tests.local_http import http
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

#: Values that stand nowhere by chance.
ADDRESS, NAME, SURNAME = "planted.person@xq7.example", "Quillonwick", "Zephandrel"
STREET, PHONE, CODE = "17 Brindlemoor Wharf", "+34600717177", "PLANTEDCODE77"
PLANTED = tuple(value.lower().encode() for value in (ADDRESS, NAME, SURNAME, STREET, PHONE, CODE))
OTHERS = 12


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`pipeline up` with a Kafka of its own, whose files are looked through."""
    directory = tmp_path_factory.mktemp("erase")
    archive = {"url": (directory / "archive").as_uri(), "max_wait": 2.0}
    made = Site(directory, {"kafka": {"shop_partitions": 4, "account_partitions": 2}, "archive": archive})
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
    assert site.shopify("orders/paid", person(shopify_order(900)), delivery="paid-900") == 200
    changed = person(shopify_order(900, updated_at="2027-02-02T10:00:00Z"))
    assert site.shopify("orders/updated", changed) == 200
    # A status that nobody knows: a dead letter.
    assert site.shopify("orders/paid", person(shopify_order(901, financial_status="odd"))) == 200
    assert site.woocommerce(person(woo_order(900))) == 200
    settle(site)


def settle(site: Site) -> None:
    """Everything that was sent has ended."""

    def ended() -> bool:
        text = http.get(f"{site.urls['deliver']}/metrics", timeout=10).text
        pending = [line for line in text.splitlines() if line.startswith("pipeline_account_records")]
        return not any('outcome="pending"' in line and not line.endswith(" 0.0") for line in pending)

    wait_until(lambda: len(purchases(site, "acme")) > OTHERS, 60, every=0.3)
    wait_until(ended, 60, every=0.3)


def kafka_pids(site: Site) -> list[int]:
    """The broker that `up` started."""
    assert site.up is not None
    found: list[int] = []
    parents = [site.up]
    while parents:
        parent = parents.pop()
        listed = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, check=False).stdout
        children = list(map(int, listed.split()))
        parents += children
        for child in children:
            with contextlib.suppress(OSError):
                if b"kafka.Kafka" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


def spool_one(site: Site) -> None:
    """An event of the person comes while Kafka is away."""
    [broker] = kafka_pids(site)
    os.kill(broker, signal.SIGKILL)
    changed = person(shopify_order(900, updated_at="2027-02-03T10:00:00Z"))
    assert site.shopify("orders/updated", changed, delivery="spooled-900") == 200
    data = Path(site.tree["data_dir"])
    assert any("gateway" in name for name in holding(data))
    wait_until(lambda: bool(kafka_pids(site)), 60, every=0.3)
    wait_until(lambda: not any("gateway" in name for name in holding(data)), 90, every=0.5)
    wait_until(lambda: all(site.ready(stage)[0] == 200 for stage in ("translate", "deliver")), 90, every=0.3)


def holding(directory: Path, values: tuple[bytes, ...] = PLANTED) -> dict[str, list[str]]:
    """Files with planted values, and which."""
    found: dict[str, list[str]] = {}
    for path in directory.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                text = path.read_bytes().lower()
                there = [value.decode() for value in values if value in text]
                if there:
                    found[str(path.relative_to(directory))] = there
    return found


def gone(site: Site, values: tuple[bytes, ...] = PLANTED) -> None:
    """No file of the brokers, the workers, the spool or the logs has any of the values."""
    data = Path(site.tree["data_dir"])
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not holding(data, values), 30, every=1.0)
    assert holding(data, values) == {}


def archived(site: Site) -> bytes:
    """All that the archive holds: its files are compressed."""
    archive = Archive(config.parse(site.tree, {}))
    rows = [
        row
        for file in archive.listing().whole
        for batch in archive.messages(file, file.start, file.end)
        for row in batch
    ]
    return b"\n".join((row.key() or b"") + b" " + (row.value() or b"") for row in rows).lower()


def contacts(site: Site, account: str) -> dict[str, Any]:
    return held(site, account, "contacts")


def purchases(site: Site, account: str) -> dict[str, Any]:
    return held(site, account, "purchases")


def held(site: Site, account: str, kind: str) -> dict[str, Any]:
    items = site.connectif.ledger(account, kind)
    return {item["key"]: item["body"] for item in items if not item["deleted"]}


def requests(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(run(site, "list", "--json"))
    return found


def test_a_person_leaves_every_copy_through_kill_9_and_nobody_else_does(site: Site) -> None:
    send_all(site)
    spool_one(site)
    settle(site)
    wait_until(
        lambda: {ADDRESS} <= contacts(site, "acme").keys() & contacts(site, "woo").keys(), 60, every=0.3
    )
    wait_until(lambda: all(value in archived(site) for value in PLANTED), 60, every=1.0)
    before, sold = contacts(site, "acme"), purchases(site, "acme")
    counts = orjson.loads(run(site, "--store", SHOPIFY, "--email", ADDRESS, "--dry-run", "--json"))
    assert counts["shop.orders"] >= 4
    assert {"coupons.used", "deadletters", "shop.customers"} <= counts.keys()
    assert contacts(site, "acme") == before
    words = ("--store", SHOPIFY, "--email", ADDRESS.upper(), "--yes", "--json", "--reference", "T-77")
    first = subprocess.Popen(command(site, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(one["status"] == "working" for one in requests(site)), 60, every=0.1)
    first.kill()
    first.wait()
    proof = orjson.loads(run(site, *words))
    assert (proof["status"], proof["reference"]) == ("done", "T-77")
    assert ADDRESS not in orjson.dumps(requests(site)).decode()
    del before[ADDRESS]
    assert contacts(site, "acme") == before
    assert purchases(site, "acme") == sold
    # The other store has an account of its own, and was not asked.
    assert ADDRESS in contacts(site, "woo")
    run(site, "--store", WOO, "--email", ADDRESS, "--yes", "--json")
    assert len(contacts(site, "woo")) == OTHERS
    gone(site)
    assert [value for value in PLANTED if value in archived(site)] == []
    assert b"buyer3@example.com" in archived(site)


def test_late_copies_and_a_replay_of_everything_do_not_bring_the_person_back(site: Site) -> None:
    before, sold = contacts(site, "acme"), purchases(site, "acme")
    assert site.shopify("orders/paid", person(shopify_order(900)), delivery="paid-900") == 200
    older = person(shopify_order(900, updated_at="2020-02-02T10:00:00Z"))
    assert site.shopify("orders/updated", older, delivery="older") == 200
    replay = [sys.executable, "-m", "pipeline", "replay", "start", "--store", SHOPIFY]
    words = [*replay, "--since", "2020-01-01", "--json", "--config", str(site.path)]
    done = subprocess.run(words, capture_output=True, timeout=200, check=True)
    assert orjson.loads(done.stdout)["status"] == "done"
    settle(site)
    assert contacts(site, "acme") == before
    assert purchases(site, "acme") == sold
    # The late copies themselves are new events of the person: they go with the next erasure.
    run(site, "--store", SHOPIFY, "--customer", "4711", "--email", ADDRESS, "--yes", "--json")
    gone(site)


def test_what_a_shop_asks_for_is_done_by_itself_and_its_webhook_goes_too(site: Site) -> None:
    address, phone = "second.planted@xq8.example", "+34600818182"
    order = shopify_order(910, email=address, contact_email=address)
    order["customer"] |= {"id": 4_712, "email": address, "phone": phone}
    assert site.shopify("orders/paid", order) == 200
    wait_until(lambda: address in contacts(site, "acme"), 60, every=0.3)
    body = {
        "shop_id": 1,
        "customer": {"id": 4_712, "email": address, "phone": phone},
        "orders_to_redact": [910],
    }
    assert site.shopify("customers/redact", body) == 200
    wait_until(
        lambda: any(one["source"] and one["status"] == "done" for one in requests(site)), 150, every=1.0
    )
    assert address not in contacts(site, "acme")
    gone(site, (address.encode(), phone.encode()))
    [line] = [one for one in requests(site) if one["source"]]
    assert line["removed"]["contacts in Connectif"] >= 1
    none = f'pipeline_erase_requests_open{{store="{SHOPIFY}",wanted="customer"}} 0.0'
    wait_until(lambda: none in http.get(f"{site.urls['erase']}/metrics", timeout=10).text, 30, every=0.5)


def test_who_speaks_again_is_a_contact_again(site: Site) -> None:
    email = "third@xq9.example"
    order = shopify_order(920, email=email, contact_email=email)
    order["customer"] |= {"id": 4_713, "email": email}
    assert site.shopify("orders/paid", order) == 200
    wait_until(lambda: email in contacts(site, "acme"), 60, every=0.3)
    run(site, "--store", SHOPIFY, "--email", email, "--yes", "--json")
    assert email not in contacts(site, "acme")
    again = shopify_order(921, email=email, contact_email=email)
    again["customer"] |= {"id": 4_713, "email": email}
    assert site.shopify("orders/paid", again) == 200
    wait_until(lambda: email in contacts(site, "acme"), 60, every=0.3)


def test_a_person_is_shown_what_is_kept_of_them(site: Site, tmp_path: Path) -> None:
    email = "buyer3@example.com"
    body = {"shop_id": 1, "customer": {"id": 10_003, "email": email}, "orders_requested": [3]}
    assert site.shopify("customers/data_request", body) == 200
    wait_until(lambda: any(one["wanted"] == "data" for one in requests(site)), 30, every=0.5)
    [asked] = [one for one in requests(site) if one["wanted"] == "data"]
    out = tmp_path / "data.json"
    run(site, "export", "--request", asked["id"], "--out", str(out))
    assert out.stat().st_mode & 0o777 == 0o600
    said = orjson.loads(out.read_bytes())
    assert said["addresses"] == [email]
    topics = {message["topic"] for message in said["messages"]}
    assert {"shop.orders", "shop.customers", "connectif.contacts", "connectif.receipts"} <= topics
    assert all("buyer4@" not in orjson.dumps(message).decode() for message in said["messages"])
    [now] = [one for one in requests(site) if one["id"] == asked["id"]]
    assert now["status"] == "done"
