"""What orders cost on disk: every topic, the workers' state stores and the archive, by platform.

    python -m benchmarks.disk [--orders 10000] [--platform shopify]

Real bodies, in which every id, token, address, name, time and amount is an order's own, so that they compress
as different orders do. An order is three events (placed, paid, changed), every third brings an event of a
customer, every tenth one of a product; there are 500 products. A worker of each stage and a sandbox deal with
all of it; then the sizes of the log segments are taken, and a million orders are as many times as much.
`alone` writes each topic's messages again, each in a batch of its own, as in a shop with little traffic, with
nothing to be compressed with. Of changelogs that is done for the newest message of each key: what compaction
leaves.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.arguments import argument_parser
from benchmarks.deliver import accepted, worker
from benchmarks.harness import (
    PIPELINE,
    Bench,
    Worker,
    broker,
    free_port,
    machine,
    metric,
    produce,
    report,
    translate_worker,
    wait_for,
)
from pipeline.archive.files import Archive
from pipeline.archive.writer import ArchiveWriter
from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka import topics
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config

MILLION = 1_000_000
PRODUCTS = 500
UNLIMITED = 100_000_000
STORE = "north"
#: (orders, product, customer): the bodies that are varied, and the shop's names of their events.
BODIES = {
    "shopify": (
        ("realistic-order-full-0-webhookdb", "webhook-orders_create-2026-04"),
        "webhook-products_update-2024-04",
        "webhook-customers_update-2024-04",
    ),
    "woocommerce": (("order-processing-paid-docs",), "product-simple-docs", "customer-updated-docs"),
}
NAMES = {
    "shopify": (("orders/create", "orders/paid", "orders/updated"), "products/update", "customers/update"),
    "woocommerce": (
        ("order.created", "order.updated", "order.updated"),
        "product.updated",
        "customer.updated",
    ),
}
#: Fields whose values people write.
_WRITTEN = re.compile(r"name|title|address|city|company|note|vendor|province|description|message|user_agent")
_TOKEN = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f-]{20,}|\d{4,}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_AMOUNT = re.compile(r"\d+\.\d\d")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LETTERS = "aaabcdeeeefghiiijklmnnooopqrrsstttuuvwxyz"
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def word(chance: random.Random, length: int) -> str:
    """Letters that are no word of another order."""
    return "".join(chance.choices(_LETTERS, k=length))


def varied(node: Any, chance: random.Random, name: str = "") -> Any:
    """A body with values of its own of the same form: ids, tokens, addresses, names, times and amounts."""
    if isinstance(node, dict):
        return {key: varied(value, chance, key) for key, value in node.items()}
    if isinstance(node, list):
        return [varied(value, chance, name) for value in node]
    if isinstance(node, str) and name not in {"id", "currency"}:
        return varied_text(node, chance, name)
    if isinstance(node, int) and node >= 10_000:
        return int(_like(str(node), chance).replace("0", "1"))
    return node


def agreeing(node: Any) -> Any:
    """A body in which an amount and the same in two currencies are one again; all of it in one currency."""
    if isinstance(node, dict):
        node |= {name: "USD" for name in ("currency_code", "presentment_currency") if name in node}
        for name, value in node.items():
            both = node.get(f"{name}_set")
            if isinstance(both, dict) and isinstance(value, str):
                for money in both.values():
                    money["amount"] = value
            agreeing(value)
    elif isinstance(node, list):
        for value in node:
            agreeing(value)
    return node


def varied_text(text: str, chance: random.Random, name: str) -> str:
    """The same of a text in a field of this name."""
    if _TIME.match(text):
        moment = _FIRST + timedelta(seconds=chance.randrange(300 * 86_400))
        made = moment.strftime("%Y-%m-%dT%H:%M:%S") + text[19:]
    elif _AMOUNT.fullmatch(text):
        made = text if float(text) == 0 else f"{chance.randrange(100, 20_000) / 100:.2f}"
    elif _EMAIL.fullmatch(text):
        made = f"{word(chance, 6)}.{word(chance, 8)}@example.com"
    elif _WRITTEN.search(name) and not name.endswith("_code"):
        made = re.sub(r"[A-Za-z]{3,}", lambda found: word(chance, len(found[0])).title(), text)
    else:
        made = _TOKEN.sub(lambda found: _like(found[0], chance), text)
    return made


def _like(token: str, chance: random.Random) -> str:
    digits = "0123456789" if token.isdigit() else "0123456789abcdef"
    return "".join(one if one == "-" else chance.choice(digits) for one in token)


class Load:
    """The events of a platform's orders."""

    def __init__(self, platform: str, orders: int) -> None:
        folder = resources.files("pipeline") / "bodies" / platform
        self.platform, self.orders = platform, orders
        names, product, customer = BODIES[platform]
        self.order_bodies = [orjson.loads((folder / f"{name}.json").read_bytes()) for name in names]
        self.product_body = orjson.loads((folder / f"{product}.json").read_bytes())
        self.customer_body = orjson.loads((folder / f"{customer}.json").read_bytes())
        self.count = self.raw_bytes = 0

    def events(self) -> Iterator[RawEvent]:
        """All of them; those of one order are 200 orders apart, as in a shop."""
        topics_of_orders, product, customer = NAMES[self.platform]
        for number in range(self.orders + 400):
            for version, topic in enumerate(topics_of_orders):
                order = number - 200 * version
                if 0 <= order < self.orders:
                    yield self._event(Kind.ORDER, topic, order, version)
            if number < self.orders:
                if number % 3 == 0:
                    yield self._event(Kind.CUSTOMER, customer, number, 0)
                if number % 10 == 0:
                    yield self._event(Kind.PRODUCT, product, number // 10 % PRODUCTS, number)

    def _event(self, kind: Kind, topic: str, number: int, version: int) -> RawEvent:
        chance = random.Random(f"{kind}{number}")  # noqa: S311 - not a secret
        stamp = _FIRST + timedelta(minutes=number, days=version % 28)
        body = self._body(kind, number, chance) | {"id": 5_000_000_000_000 + number}
        shopify = self.platform == "shopify"
        body["updated_at" if shopify else "date_modified_gmt"] = stamp.strftime("%Y-%m-%dT%H:%M:%S") + (
            "Z" if shopify else ""
        )
        raw = orjson.dumps(body)
        self.count, self.raw_bytes = self.count + 1, self.raw_bytes + len(raw)
        delivery = _like("01234567-89ab-cdef-0123-456789abcdef", random.Random(f"{topic}{number}{version}"))  # noqa: S311
        headers = {
            "x-shopify-shop-domain": "north.myshopify.com",
            "x-shopify-api-version": "2026-04",
            "x-shopify-event-id": delivery,
        }
        return RawEvent(
            store=STORE,
            platform=self.platform,
            kind=kind,
            entity=str(body["id"]),
            topic=topic,
            delivery=delivery,
            received_ms=int(time.time() * 1_000),
            body=raw,
            headers=headers if shopify else {},
        )

    def _body(self, kind: Kind, number: int, chance: random.Random) -> dict[str, Any]:
        if kind is Kind.PRODUCT:
            body: dict[str, Any] = varied(self.product_body, chance)
            page = {"permalink": f"https://north.example/product/{word(chance, 14)}"}
            return body if self.platform == "shopify" else body | page
        if kind is Kind.CUSTOMER:
            body = varied(self.customer_body, chance)
            return body | {"email": f"{word(chance, 7)}{number}@example.com"}
        body = agreeing(varied(self.order_bodies[number % len(self.order_bodies)], chance))
        email = f"{word(chance, 7)}{number}@example.com"
        for line in body["line_items"]:
            product = chance.randrange(PRODUCTS)
            of_product = random.Random(f"line{product}")  # noqa: S311 - not a secret
            line |= {"product_id": 5_000_000_000_000 + product, "variant_id": 6_000_000_000_000 + product}
            line |= {"sku": f"SKU-{product}", "quantity": 1}
            line |= {name: word(of_product, 14).title() for name in ("title", "name") if name in line}
        if self.platform == "shopify":
            own = {"cancelled_at": None, "financial_status": "paid", "test": False, "email": email}
            return body | own | {"contact_email": email}
        body["billing"] |= {"email": email}
        return body


def tree(platform: str, sandbox_port: int) -> dict[str, Any]:
    """Settings whose budget never binds."""
    return {
        "deliver": {"import_poll": 1.0, "freshness": 5.0},
        "sandbox": {"calls_kept": 1_000, "switches": {"import_rows_per_second": 1_000_000}},
        "accounts": {
            "acme": {
                "api_key": "acme:secret",
                "base_url": f"http://127.0.0.1:{sandbox_port}",
                "calls_per_minute": UNLIMITED,
                "authorised_domains": ["https://north.example"],
            }
        },
        "stores": {
            STORE: {
                "platform": platform,
                "account": "acme",
                "domain": "north.example",
                "secrets": ["s"],
                **({"purchase_id": "id"} if platform == "shopify" else {}),
            }
        },
    }


def run_stages(bench: Bench, settings: Settings, load: Load, sandbox_port: int) -> None:
    """Put the events in, and let the stages deal with all of them."""
    sent = produce(settings, load.events())
    ports = free_port(), free_port()
    command = [PIPELINE, "sandbox", "--config", str(bench.path), "--port", str(sandbox_port)]
    sandbox = Worker(command, bench.directory / "sandbox.log")
    translate, deliver = translate_worker(bench, ports[0]), worker(bench, ports[1])
    try:
        wait_for(lambda: metric(ports[0], "pipeline_account_events") >= sent, 300, 0.5)
        wait_for(lambda: accepted(ports[1], "accepted") > 0, 60, 0.5)
        wait_for(lambda: accepted(ports[1], "pending") == 0, 600, 1.0)
        print({name: accepted(ports[1], name) for name in ("accepted", "delivered", "unchanged", "dead")})
    finally:
        # In order, so that what the state stores hold in memory is on the disk.
        for one in (translate, deliver, sandbox):
            one.stop()


def log_bytes(directory: Path, topic: str) -> int:
    """Of the segments of all its partitions; their indexes are a hundredth of that."""
    return sum(path.stat().st_size for path in directory.glob(f"**/{topic}-[0-9]*/*.log"))


def alone(settings: Settings, directory: Path, topic: str, *, newest: bool) -> int:
    """What its messages take, each in a batch of its own; of `newest`, the newest of each key alone."""
    config = client_config(settings)
    copy = f"{topic}.alone"
    admin = AdminClient(config)  # it must live until the topic is made
    [made] = admin.create_topics([NewTopic(copy, 1, 1)]).values()
    made.result(30)
    messages: list[Outgoing] = []
    with RangeReader(config) as reader:
        for batch in reader.read(reader.ranges(topic)):
            messages += [
                Outgoing(copy, one.value, one.key, 0, [(name, value or b"") for name, value in one.headers])
                for one in batch.messages()
            ]
    if newest:
        messages = [one for one in {one.key: one for one in messages}.values() if one.value is not None]
    producer = Producer(
        {**config, "batch.num.messages": 1},
        max_message_bytes=settings.kafka.max_message_bytes,
        linger_ms=0,
    )
    producer.send_all(messages)
    producer.close()
    return log_bytes(directory, copy)


def state_bytes(settings: Settings) -> dict[str, int]:
    """Of each stage's state stores."""
    found: dict[str, int] = {}
    for path in settings.data_dir.rglob("*"):
        if path.is_file() and not path.is_relative_to(settings.data_dir / "archive"):
            stage = path.relative_to(settings.data_dir).parts[0]
            found[stage] = found.get(stage, 0) + path.stat().st_size
    return found


def archive_bytes(bench: Bench, settings: Settings) -> tuple[int, float]:
    """Of the archive of all events, and the seconds of processor that it took."""
    settings = settings.model_copy(
        update={
            "archive": settings.archive.model_copy(update={"url": (bench.directory / "archive").as_uri()})
        }
    )
    with RangeReader(client_config(settings)) as reader:
        writing = ArchiveWriter(settings, Archive(settings), reader)
        writing.begin()
        begun = time.process_time()
        done = writing.write(everything=True)
        return done.size, time.process_time() - begun


def measure(platform: str, orders: int) -> None:
    """Print a table."""
    load = Load(platform, orders)
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "broker") as bootstrap:
        sandbox_port = free_port()
        bench = Bench(Path(name), bootstrap, tree(platform, sandbox_port))
        settings = bench.settings()
        run_stages(bench, settings, load, sandbox_port)
        rows: list[dict[str, object]] = []

        def row(what: str, size: int, single: int | None) -> None:
            of_million = MILLION / orders / 1e9
            rows.append(
                {
                    "": what,
                    "bytes an order": round(size / orders),
                    "a million orders, GB": round(size * of_million, 2),
                    "each message alone, GB": "" if single is None else round(single * of_million, 2),
                }
            )

        row("bodies as the shop sent them", load.raw_bytes, None)
        for topic in topics.table(settings):
            plain = topic.name.removeprefix(settings.kafka.topic_prefix)
            compacted = "compact" in topic.config["cleanup.policy"]
            size = log_bytes(Path(name), topic.name)
            if size:
                row(plain, size, alone(settings, Path(name), topic.name, newest=compacted))
        for stage, size in sorted(state_bytes(settings).items()):
            row(f"on the workers' disks: {stage}", size, None)
        size, seconds = archive_bytes(bench, settings)
        row("archive", size, None)
        print(f"{platform}: {orders} orders, {load.count} events; archived in {seconds:.1f} s of processor")
        report(rows)


def main() -> None:
    """Measure."""
    parser = argument_parser(__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--platform", choices=sorted(BODIES), action="append")
    asked = parser.parse_args()
    print(machine())
    for platform in asked.platform or sorted(BODIES):
        measure(platform, asked.orders)


if __name__ == "__main__":
    main()
