"""A store of two accounts: where its orders are, and how a person and then the whole shop leave both."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.kafka.address import bootstrap
from pipeline.kafka.keys import partition_of_key
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from tests.integration.delivering import SPEED
from tests.integration.operating import SHOPIFY, Site, shopify_order
from tests.integration.test_erase import gone, held, requests, run
from tests.local_http import http
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

#: The account of each language; orders in others fit none.
ES, FR = "acme", "woo"
SPANISH, FRENCH, MOVED, NOWHERE, REMOVED = (1, 2, 3), (11, 12, 13), 21, 31, 12
ADDRESS = "planted.twice@xq5.example"


def partition(number: int) -> int:
    """Where an order's events lie."""
    return partition_of_key(f"{SHOPIFY}|order|{number}".encode(), 2)


#: Orders of somebody else's, in messages of version 0.2, beside those of a person who is erased: of a topic
#: only the partitions with something to remove are sure to be compacted.
EARLIER, ANOTHER = [number for number in range(60, 90) if partition(number) == partition(SPANISH[0])][:2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`pipeline up` with a Kafka of its own, whose only store has routes."""
    directory = tmp_path_factory.mktemp("routes")
    made = Site(directory, {"kafka": {"shop_partitions": 2, "account_partitions": 2}})
    store = {name: value for name, value in made.tree["stores"][SHOPIFY].items() if name != "account"}
    store["routes"] = [{"language": "es", "account": ES}, {"language": "fr", "account": FR}]
    made.tree["stores"] = {SHOPIFY: store}
    made.path.write_text(dumps(made.tree), encoding="utf-8")
    try:
        made.start()
        send_all(made)
        yield made
    finally:
        made.stop()


def order(number: int, language: str, **changes: Any) -> dict[str, Any]:
    """One in a language, of January."""
    at = "2026-01-10T10:00:00+01:00"
    times = {"created_at": at, "processed_at": at, "updated_at": at}
    return shopify_order(number, customer_locale=language, **times, **changes)


def contacts(site: Site) -> tuple[set[str], set[str]]:
    """Those that each account has."""
    return set(held(site, ES, "contacts")), set(held(site, FR, "contacts"))


def purchases(site: Site) -> tuple[set[int], set[int]]:
    """Those that each account has."""
    return set(map(int, held(site, ES, "purchases"))), set(map(int, held(site, FR, "purchases")))


def reconciled(site: Site, listed: list[int], *words: str) -> dict[str, Any]:
    """The report of a list, as JSON."""
    lines = ["Id,Created at", *(f"{number},2026-01-10 10:00:00 +0100" for number in listed)]
    command = [sys.executable, "-m", "pipeline", "reconcile", SHOPIFY, "--config", str(site.path)]
    done = subprocess.run(
        [*command, "--shop", "-", "--json", *words],
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr.decode()
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def send_all(site: Site) -> None:
    """What the shop says: orders in two languages, one that changes its language, one in a third."""
    for number in (*SPANISH, MOVED):
        assert site.shopify("orders/paid", order(number, "es")) == 200
    for number in FRENCH:
        assert site.shopify("orders/paid", order(number, "fr")) == 200
    assert site.shopify("orders/paid", order(NOWHERE, "pt")) == 200
    wait_until(lambda: purchases(site) == ({*SPANISH, MOVED}, {*FRENCH}), 90, every=0.3)
    moved = order(MOVED, "fr") | {"updated_at": "2026-02-10T10:00:00+01:00"}
    assert site.shopify("orders/updated", moved) == 200
    wait_until(lambda: purchases(site) == ({*SPANISH}, {*FRENCH, MOVED}), 90, every=0.3)


@pytest.mark.parametrize("how", [("--verify", "--calls-per-minute", "60"), ("--connectif-export", "api")])
def test_each_order_is_looked_for_in_its_own_account(site: Site, how: tuple[str, ...]) -> None:
    listed = [*SPANISH, *FRENCH, MOVED, NOWHERE]
    key = {"Authorization": f"apiKey {FR}:secret"}
    url = f"{site.connectif.url}/purchases/purchase-id/{REMOVED}"
    wait_until(lambda: http.delete(url, headers=key).status_code == 204, 10, every=0.2)
    time.sleep(2 * 60 / SPEED)  # what was told in the last (simulated) minute is not judged by an export
    tree = reconciled(site, listed, *how, "--repair")
    found = {int(one["id"]): (one["account"], one["category"], one["stage"]) for one in tree["orders"]}
    assert found == {REMOVED: (FR, "missing", "lost"), NOWHERE: ("", "missing", "rejected")}
    assert tree["accounts"] == [ES, FR]
    assert tree["counts"]["there"] == len(listed) - 2
    assert tree["repair"]["orders"] == 1
    wait_until(lambda: REMOVED in purchases(site)[1], 60, every=0.3)
    assert REMOVED not in purchases(site)[0]


def test_a_person_leaves_both_accounts_and_nobody_else_does(site: Site) -> None:
    before = contacts(site)
    for number, language in ((51, "es"), (52, "fr")):
        theirs = order(number, language, email=ADDRESS, contact_email=ADDRESS)
        theirs["customer"] |= {"id": 4_711, "email": ADDRESS}
        assert site.shopify("orders/paid", theirs) == 200
    wait_until(lambda: 51 in purchases(site)[0] and 52 in purchases(site)[1], 60, every=0.3)
    assert all(ADDRESS in one for one in contacts(site))
    proof = orjson.loads(run(site, "--store", SHOPIFY, "--email", ADDRESS, "--yes", "--json"))
    assert proof["status"] == "done"
    assert proof["removed"]["contacts in Connectif"] == 2
    assert contacts(site) == before
    assert 51 in purchases(site)[0], "its purchases stay"
    gone(site, (ADDRESS.encode(),))


def events(site: Site, entity: int) -> list[bytes]:
    """The deliveries of an order that are on the topic."""
    settings = config.parse(site.tree, {})
    with RangeReader(client_config(settings)) as reader:
        return [
            dict(message.headers)["pipeline-delivery"] or b""
            for batch in reader.read(reader.ranges("shop.orders"))
            for message in batch.messages()
            if (message.key or b"").startswith(b"%b|order|%d" % (SHOPIFY.encode(), entity))
        ]


def sends_as_0_2(site: Site, number: int) -> None:
    """Two events of an order whose messages have one key."""
    settings = config.parse(site.tree, {})
    body = orjson.dumps(order(number, "es"))
    earlier = [
        RawEvent(SHOPIFY, "shopify", Kind.ORDER, str(number), "orders/paid", f"d{one}", 1, body)
        for one in range(2)
    ]
    producer = Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes)
    producer.send_all(
        Outgoing("shop.orders", one.body, one.key, partition_of_key(one.key, 2), one.to_kafka_headers())
        for one in earlier
    )
    producer.close()
    wait_until(lambda: number in purchases(site)[0], 60, every=0.3)


def test_messages_that_share_keys_go_on_a_cluster_of_ones_own_only_where_that_is_allowed(
    site: Site, tmp_path: Path
) -> None:
    kafka = {**site.tree["kafka"], "bootstrap": bootstrap(config.parse(site.tree, {})), "replication": 1}
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(dumps({**site.tree, "kafka": kafka}), encoding="utf-8")

    def erase(number: int, *more: str) -> subprocess.CompletedProcess[bytes]:
        whom = f"buyer{number}@example.com"
        words = ["--store", SHOPIFY, "--email", whom, "--yes", "--json", "--config", str(cluster), *more]
        command = [sys.executable, "-m", "pipeline", "erase", *words]
        return subprocess.run(command, capture_output=True, timeout=240, check=False)

    sends_as_0_2(site, EARLIER)
    done = erase(SPANISH[0], "--lose-earlier")
    assert done.returncode == 0, done.stderr.decode()
    assert orjson.loads(done.stdout)["lost_earlier"] == ["shop.orders"]
    assert events(site, EARLIER) == [b"d1"]
    gone(site, (b"buyer%d@example.com" % SPANISH[0],))
    sends_as_0_2(site, ANOTHER)
    refused = erase(SPANISH[1])
    assert refused.returncode != 0
    assert b"--lose-earlier" in refused.stderr
    assert events(site, ANOTHER) == [b"d0", b"d1"]


def test_a_shop_that_is_uninstalled_leaves_both_accounts_by_itself(site: Site) -> None:
    assert all(contacts(site))
    sold = purchases(site)
    assert site.shopify("shop/redact", {"shop_id": 1, "shop_domain": "acme.myshopify.com"}) == 200

    def done() -> bool:
        return any(one["wanted"] == "shop" and one["status"] == "done" for one in requests(site))

    wait_until(done, 150, every=1.0)
    assert contacts(site) == (set(), set())
    assert purchases(site) == sold
    gone(site, (b"buyer", b"example.com"))
    [line] = [one for one in requests(site) if one["wanted"] == "shop"]
    assert line["removed"]["shop.orders"] > len(SPANISH)
