"""Planted secrets and persons are searched in all that a run leaves: logs, output, pages, topics, argv."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Consumer
from pydantic import SecretStr

from pipeline.config import Settings, load
from pipeline.kafka.keys import entity_key
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import RECEIPTS, full_name
from pipeline.local.ports import free_port
from pipeline.local.wiring import Wiring
from pipeline.shops.registry import PLATFORMS
from pipeline.tracing import context_in
from tests.broker import KafkaSettings
from tests.contract.platform_events import bodies_of, raw
from tests.platforms import IN_TESTS
from tests.processes import until
from tests.settings_trees import store_tree
from tests.shop_bodies import Article, Person, Sale, Sent

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SPEED = 60
#: Stands in every secret, and so in no other text.
SECRET = "pl4nted-s3cret"
#: What is personal, as it is written into bodies; ids of contacts are the address, and say so below.
EMAIL = "ana.pl4nted@mail.example"
NAME, SURNAME = "Pl4ntedana", "Pl4ntedmora"
PERSONAL = (EMAIL, "ana.pl4nted", NAME, SURNAME)
TOKEN = f"{SECRET}-token-of-http"
CALLBACK = f"{SECRET}-token-of-callbacks-of-shopify"
#: Of every process that holds a secret: the kernel writes no memory of it to a disk.
NO_CORE = "Max core file size        0                    0"


def secret_file(directory: Path, name: str, text: str = "") -> dict[str, str]:
    path = directory / f"secret-{name}"
    path.write_text(text or f"{SECRET}-{name}", encoding="utf-8")
    path.chmod(0o600)
    return {"file": str(path)}


def tree(directory: Path) -> dict[str, Any]:
    """One store of each platform, whose API nobody answers, and every secret in a file."""
    sandbox = f"http://127.0.0.1:{free_port()}"
    stores, accounts = {}, {}
    for name, platform in PLATFORMS.items():
        plain = {
            key: secret_file(directory, f"{name}-{key}") if isinstance(value, SecretStr) else value
            for key, value in IN_TESTS[name].settings.items()
        }
        for key in platform.secret_settings:
            if key in plain:
                plain[key] = secret_file(directory, f"{name}-{key}")
        plain["secrets"] = [secret_file(directory, f"{name}-secrets")]
        if name != "vtex":
            plain["api_url"] = "http://127.0.0.1:9"
        if name == "generic":
            plain["api_token"] = secret_file(directory, "generic-api-token")
        if name == "shopify":
            plain["callback_tokens"] = [secret_file(directory, "callback", CALLBACK)]
        stores[name] = store_tree(name, account=name, **plain)
        accounts[name] = {
            "api_key": secret_file(directory, f"account-{name}", f"{name}:{SECRET}-{name}"),
            "base_url": sandbox,
            "window_seconds": 60 / SPEED,
            "authorised_domains": ["https://acme.example"],
        }
    return {
        "http_token": secret_file(directory, "http", TOKEN),
        "sandbox": {"speed": SPEED},
        "deliver": {"import_poll": 0.2, "retry_min": 0.05, "retry_max": 0.5},
        "traces": {"enabled": True},
        "accounts": accounts,
        "stores": stores,
    }


def sent_by(platform: str) -> Iterator[tuple[str, bytes]]:
    """Topics and bodies that name the person, and some that cannot be used."""
    bodies, shop = bodies_of(PLATFORMS[platform]), IN_TESTS[platform]
    listed: list[Sent] = [
        bodies.order(Sale(email=EMAIL, name=NAME, surname=SURNAME)),
        bodies.order(Sale(id="1002", email=EMAIL, name=NAME, currency="not a currency")),
        bodies.customer(Person(email=EMAIL, name=NAME, surname=SURNAME, consent=bodies.subscribed)),
        bodies.product(Article()),
    ]
    for one in listed:
        yield one.topic, shop.with_topic(one.topic, raw(one))
    yield listed[0].topic, shop.with_topic(listed[0].topic, orjson.dumps({"email": EMAIL, "name": NAME}))
    yield listed[0].topic, f'{{"email": "{EMAIL}", "name": "{NAME}", broken'.encode()


class Found:
    """All that was looked at, and where what was planted stands in it."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.looked = 0
        #: The traces in the headers of each topic's messages.
        self.traces: dict[str, set[str]] = {}

    def look(self, where: str, text: str, *, personal: bool = True) -> None:
        self.looked += 1
        for planted in (SECRET, *(PERSONAL if personal else ())):
            at = text.find(planted)
            if at >= 0:
                self.faults.append(f"{where}: {text[max(0, at - 120) : at + 60]!r}")


def headers_and_receipts(settings: Settings, found: Found) -> int:
    """The headers of every message of every topic, and what receipts say in words."""
    consumer = Consumer({**client_config(settings), "group.id": "planted", "auto.offset.reset": "earliest"})
    topics = [
        name
        for name in consumer.list_topics(timeout=20).topics
        if name.startswith(settings.kafka.topic_prefix) and not name.startswith("__")
    ]
    consumer.subscribe(topics)
    receipts = full_name(settings, RECEIPTS)
    count, quiet = 0, time.monotonic() + 20
    while time.monotonic() < quiet:
        for message in consumer.consume(500, 0.5):
            assert message.error() is None
            quiet, count = time.monotonic() + 5, count + 1
            context = context_in(message.headers() or ())
            if context is not None:
                plain = message.topic().removeprefix(settings.kafka.topic_prefix)
                found.traces.setdefault(plain, set()).add(context.trace)
            for name, value in message.headers() or ():
                said = (value or b"").decode(errors="replace")
                # Where an address is the entity's id, as of a statement about it, it is in the key, too.
                key = entity_key(message.key() or b"").decode(errors="replace")
                is_its_id = name == "pipeline-entity" and key.endswith(f"|{said}")
                found.look(f"header {name} in {message.topic()}", said, personal=not is_its_id)
            if message.topic() == receipts and message.value():
                receipt = orjson.loads(message.value())
                words = {key: receipt[key] for key in ("reason", "detail", "notes", "outcome")}
                found.look("a receipt", orjson.dumps(words).decode())
    consumer.close()
    return count


def processes_of(pid: int) -> list[int]:
    """A process and all that it started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def command(path: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    """All that a command writes."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words, "--config", str(path)],
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert b"Traceback" not in done.stderr, (words, done.stderr[-2_000:])
    return (done.stdout + done.stderr).decode(errors="replace")


COMMANDS: list[list[str]] = [
    ["validate"],
    ["doctor"],
    ["check"],
    ["plan"],
    ["top", "--once"],
    ["dead", "list"],
    ["dead", "list", "--json"],
    ["trace", "shopify", "order", "1001"],
    ["trace", "shopify", "order", "1001", "--json"],
    ["reconcile", "shopify", "--json"],
    ["sync", "status"],
    ["erase", "list"],
]


class Run:
    """All processes on the settings, and a client.

    Attributes:
        found: what was looked at.
    """

    def __init__(self, path: Path, settings: Settings, wiring: Wiring, client: httpx.AsyncClient) -> None:
        self._path, self._settings, self._client = path, settings, client
        self._urls, self._gateway = wiring.urls, wiring.address
        self.found = Found()

    async def make_trouble(self) -> None:
        """Let Connectif fail, and repeat persons in its answers."""
        rules = [
            {"effect": "echo", "status": 422, "count": 3},
            {"effect": "echo", "status": 500, "count": 3},
            {"effect": "reply", "status": 400, "body": f'{{"message": "{EMAIL} {NAME}"}}', "count": 3},
        ]
        answer = await self._client.post(f"{self._urls['sandbox']}/_sandbox/faults", json=rules)
        assert answer.status_code == 200, answer.text

    async def send(self) -> None:
        """What each shop and Connectif say, and the same wrongly signed."""
        for platform in PLATFORMS:
            url = f"{self._gateway}/webhooks/{platform}/{platform}"
            for topic, body in sent_by(platform):
                signed = IN_TESTS[platform].signed
                headers = signed(topic, body, f"{SECRET}-{platform}-secrets".encode(), {})
                said = await self._client.post(url, content=body, headers=headers)
                assert said.status_code < 500
                self.found.look("an answer of the gateway", said.text)
                wrong = await self._client.post(
                    url, content=body, headers=signed(topic, body, b"another", {})
                )
                assert wrong.status_code in {400, 401}
        query = {"email": EMAIL, "ip": "192.0.2.1"}
        for token, status in ((CALLBACK, 200), ("another", 401)):
            callback = f"{self._gateway}/callbacks/shopify/{token}/unsubscribed"
            assert (await self._client.get(callback, params=query)).status_code == status

    async def has_purchases(self) -> bool:
        """Whether Connectif has any of one store."""
        query = {"account": "shopify", "kind": "purchases"}
        ledger = await self._client.get(f"{self._urls['sandbox']}/_sandbox/ledger", params=query)
        return bool(ledger.json()["purchases"]["items"])

    async def ask_commands(self) -> None:
        """Every command that shows something."""
        for words in COMMANDS:
            output = await asyncio.to_thread(command, self._path, *words)
            shows_all = words[0] == "trace" and "--json" in words
            assert not shows_all or re.search(r"trace\W+[0-9a-f]{32}", output), output
            self.found.look(f"pipeline {' '.join(words)}", output)

    async def ask_processes(self) -> None:
        """Figures, readiness, and the status page, also as a stranger."""
        for name, url in self._urls.items():
            if name != "sandbox":
                for page in ("/metrics", "/readyz"):
                    self.found.look(f"{name}{page}", (await self._client.get(url + page)).text)
        for page in ("/", "/account/shopify", "/search?q=1001&store=shopify"):
            url = f"{self._urls['status']}{page}"
            refused = await self._client.get(url, headers={"X-Forwarded-For": "203.0.113.9"})
            assert refused.status_code == 401, page
            self.found.look(f"the status page {page} of a stranger", refused.text)
            self.found.look(f"the status page {page}", (await self._client.get(url)).text)

    def look_at_processes(self) -> None:
        """The list of processes, and what the kernel may write of them."""
        ours = 0
        for pid in processes_of(os.getpid()):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                limits = Path(f"/proc/{pid}/limits").read_text()
            except OSError:
                continue
            self.found.look(f"the command line of {pid}", words)
            if " -m pipeline " in words:
                ours += 1
                assert NO_CORE in limits, words
        assert ours >= len(self._urls)

    def look_at_files(self, directory: Path) -> None:
        """Logs, and the names of all files."""
        for log in sorted((self._settings.data_dir / "logs").iterdir()):
            self.found.look(f"the log {log.name}", log.read_text(encoding="utf-8", errors="replace"))
        names = [str(one.relative_to(directory)) for one in directory.rglob("*")]
        self.found.look("names of files", "\n".join(names))
        assert not [one for one in directory.rglob("core*") if one.is_file() and not one.suffix]


async def test_nothing_that_was_planted_is_found_in_what_a_whole_run_leaves(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = kafka_settings.write(tree(tmp_path))
    settings = load(path, {})
    async with (
        Wiring(settings, sandbox=True) as wiring,
        httpx.AsyncClient(timeout=60, trust_env=False) as client,
    ):
        run = Run(path, settings, wiring, client)
        await run.make_trouble()
        await run.send()
        await until(run.has_purchases, 240)
        await run.ask_commands()
        await run.ask_processes()
        run.look_at_processes()
        assert await asyncio.to_thread(headers_and_receipts, settings, run.found) > 50
    traces = run.found.traces
    begun = traces["shop.orders"] | traces["shop.customers"] | traces["shop.products"]
    assert traces["connectif.purchases"] <= traces["shop.orders"]
    assert traces[RECEIPTS]
    assert traces[RECEIPTS] <= begun
    run.look_at_files(tmp_path)
    assert run.found.looked > 100
    assert not run.found.faults, "\n".join(dict.fromkeys(run.found.faults))
