"""All of `pipeline up`, as its operator has it: shops, a Connectif, logs, readiness, metrics, `explain`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tomli_w import dumps

from pipeline.demo.totals import PipelineTotals, read
from pipeline.local.gateways import ADMIN_PORTS
from pipeline.local.ports import free_port, reserve
from tests import shopify as shopify_bodies
from tests import webhooks, woocommerce
from tests.broker import RunningKafka
from tests.integration.delivering import SPEED, Connectif
from tests.local_http import http
from tests.processes import wait_until

SHOPIFY, WOO = "acme-es", "woo-fr"
#: The processes of `up`, with the place of each one's port behind that for shops.
STAGES = {"gateway": ADMIN_PORTS, "translate": 1, "deliver": 2, "erase": 5}
STATUS = 7
#: Of two gateway processes the second one's is the last.
PORTS = ADMIN_PORTS + 2


class Site:
    """Settings, a sandbox that knows the accounts, and `pipeline up`.

    Args:
        directory: of this test alone.
        base: of the settings, such as where Kafka is.
        stores: more of them, by name, each with an account of its name; given the sandbox's address.
        calls: of each account's window, which is a second.

    Attributes:
        gateway: where it takes webhooks.
        urls: where each process answers operators.
    """

    def __init__(
        self,
        directory: Path,
        base: Mapping[str, Any],
        stores: Callable[[str], Mapping[str, Any]] = lambda _: {},
        *,
        calls: int = 100,
    ) -> None:
        port, first = free_port(), free_ports(PORTS)
        self.gateway = f"http://127.0.0.1:{first}"
        self.urls = {stage: f"http://127.0.0.1:{first + number}" for stage, number in STAGES.items()}
        self.status_url = f"http://127.0.0.1:{first + STATUS}"
        more = stores(f"http://127.0.0.1:{port}")
        if more:
            self.urls["sync"] = f"http://127.0.0.1:{first + 3}"
        account = {
            "base_url": f"http://127.0.0.1:{port}",
            "calls_per_minute": calls,
            "window_seconds": 60 / SPEED,
        }
        self.tree: dict[str, Any] = {
            "data_dir": str(directory / "data"),
            "gateway": {"confirm_timeout": 1.0},
            "deliver": {"import_poll": 0.3, "retry_min": 0.5, "retry_max": 4.0, "call_timeout": 5.0},
            **base,
            "accounts": {
                "acme": account | {"api_key": "acme:secret"},
                "woo": account | {"api_key": "woo:secret"},
                **{name: account | {"api_key": f"{name}:secret"} for name in more},
            },
            "stores": {
                name: store | {"account": {SHOPIFY: "acme", WOO: "woo"}[name]}
                for name, store in webhooks.STORES["stores"].items()
            }
            | {name: {"account": name, **store} for name, store in more.items()},
        }
        self.path = directory / "pipeline.toml"
        self._directory = directory
        self.write()
        self.connectif = Connectif(self.path, port)
        self._up: subprocess.Popen[bytes] | None = None

    def write(self) -> None:
        """Bring `tree` into the file; processes read it at their start, and at a reload."""
        self.path.write_text(dumps(self.tree), encoding="utf-8")

    def keep_filled(self, account: str, name: str, **settings: Any) -> None:
        """Let a coupon set that the sandbox has be kept filled; before `start`."""
        key = {"Authorization": f"apiKey {account}:secret"}
        [found] = http.get(f"{self.connectif.url}/coupon-sets/", headers=key).json()["results"]
        self.tree["accounts"][account] = self.tree["accounts"][account] | {
            "coupons": {name: {"set_id": found["id"], **settings}}
        }
        self.write()

    def start(self, *options: str, within: float = 90.0) -> None:
        """Start everything, and wait until it is ready."""
        port = self.gateway.rpartition(":")[2]
        with (self._directory / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "pipeline",
                    "up",
                    "--config",
                    str(self.path),
                    "--port",
                    port,
                    *options,
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: all(self.ready(stage)[0] == 200 for stage in self.urls), within, every=0.2)

    @property
    def up(self) -> int | None:
        """The process id of `pipeline up`."""
        return None if self._up is None else self._up.pid

    def stop(self) -> None:
        """Stop everything."""
        if self._up is not None:
            self._up.send_signal(signal.SIGTERM)
            self._up.wait(60)
        self.connectif.stop()

    def kill(self, stage: str) -> None:
        """`kill -9` of a stage's process; `up` starts it again."""
        self.send(stage, signal.SIGKILL)

    def send(self, stage: str, number: signal.Signals) -> None:
        """Send a signal to a stage's process."""
        for pid in self.pids(stage):
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def pids(self, stage: str) -> list[int]:
        """The process ids of a stage; none while it starts again."""
        words, pids = f"worker\0{stage}\0" if stage != "gateway" else "gateway\0", []
        for found in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                said = found.read_bytes().decode(errors="replace")
                if words in said and self.urls[stage].rpartition(":")[2] in said.split("\0"):
                    pids.append(int(found.parent.name))
        return pids

    def cut_off(self) -> None:
        """`kill -9` of everything at once, as when the machine loses power."""
        if self._up is not None:
            self._up.kill()
            self._up.wait()  # the kernel ends those that it started
            wait_until(lambda: not any(self.pids(stage) for stage in self.urls), 30, every=0.1)
            self._up = None

    # What an operator looks at.

    def ready(self, stage: str) -> tuple[int, str]:
        """`/readyz`."""
        with contextlib.suppress(httpx.HTTPError):
            answer = http.get(f"{self.urls[stage]}/readyz", timeout=10)
            return answer.status_code, answer.text
        return 0, ""

    def has_status_page(self) -> bool:
        """Whether the status page is served, which nothing waits for."""
        with contextlib.suppress(httpx.HTTPError):
            return http.get(f"{self.status_url}/readyz", timeout=10).status_code == 200
        return False

    def log(self, stage: str) -> str:
        """What a process said."""
        return (self._directory / "data" / "logs" / f"{stage}.log").read_text()

    def explain(self, account: str) -> dict[str, Any]:
        """What `pipeline deliver explain` asks for."""
        answer = http.get(f"{self.urls['deliver']}/explain", params={"account": account}, timeout=10)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def explained(self, account: str) -> str:
        """What `pipeline deliver explain` shows, without its line breaks."""
        command = [sys.executable, "-m", "pipeline", "deliver", "explain", "--account", account]
        done = subprocess.run(
            [*command, "--url", self.urls["deliver"]], capture_output=True, timeout=30, check=True
        )
        return " ".join(done.stdout.decode().split())

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command on the site's settings."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *words, "--config", str(self.path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def coupons(self, account: str, name: str, *codes: str) -> None:
        """`pipeline coupons add`."""
        command = [sys.executable, "-m", "pipeline", "coupons", "add", "--account", account, "--set", name]
        subprocess.run(
            [*command, "--config", str(self.path)],
            input="\n".join(codes).encode(),
            capture_output=True,
            timeout=60,
            check=True,
        )

    def totals(self) -> PipelineTotals:
        """The counts of events and records, over all workers."""
        return read(
            http.get(f"{self.urls[one]}/metrics", timeout=10).text for one in ("translate", "deliver")
        )

    def waiting(self, gauge: str, stage: str = "sync") -> float:
        """The sum of a gauge over its labels; -1 while its process does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            lines = http.get(f"{self.urls[stage]}/metrics", timeout=10).text.splitlines()
            return sum(float(one.split()[-1]) for one in lines if one.startswith(f"{gauge}{{"))
        return -1.0

    def dead(self, *words: str) -> list[dict[str, Any]]:
        """`pipeline dead list`: single letters."""
        command = [sys.executable, "-m", "pipeline", "dead", "list", "--each", "--json", *words]
        done = subprocess.run(
            [*command, "--config", str(self.path)], capture_output=True, timeout=120, check=True
        )
        return [orjson.loads(line) for line in done.stdout.splitlines()]

    # What shops do.

    def shopify(self, topic: str, body: Any, *, delivery: str = "", secret: str = webhooks.SECRET) -> int:
        """A webhook of the Shopify store; the status of the answer."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        said = webhooks.shopify(raw, secret=secret, delivery=delivery or f"{topic}{hash(raw)}")
        return self._post(f"shopify/{SHOPIFY}", raw, said | {"x-shopify-topic": topic})

    def sends(self, path: str, body: Any, headers: dict[str, str]) -> int:
        """A webhook of any store, to `platform/store`; the status of the answer."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return self._post(path, raw, {"content-type": "application/json", **headers})

    def woocommerce(self, body: Any) -> int:
        """An order of the WooCommerce store; the status of the answer."""
        raw = orjson.dumps(body)
        return self._post(f"woocommerce/{WOO}", raw, webhooks.woocommerce(raw))

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        url = f"{self.gateway}/webhooks/{path}"
        return http.post(url, content=body, headers=headers, timeout=30).status_code


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    first = free_port()
    while not all(reserve(first + number) for number in range(1, count)):
        first = free_port()
    return first


def shopify_order(number: int, **changes: Any) -> dict[str, Any]:
    """A paid order of a person of its own, of a product of its own."""
    email = f"buyer{number}@example.com"
    order = shopify_bodies.paid_order(id=number, name=f"#{number}", email=email, contact_email=email)
    order["customer"] = order["customer"] | {"id": 10_000 + number, "email": email}
    order["line_items"] = [
        line | {"id": number * 10, "product_id": 20_000 + number} for line in order["line_items"]
    ]
    return order | changes


def woo_order(number: int, **changes: Any) -> dict[str, Any]:
    """The same of WooCommerce."""
    order = woocommerce.order(woocommerce.line(30_000 + number), id=number, number=str(number))
    order["billing"] = order["billing"] | {"email": f"woo{number}@example.com"}
    return order | changes


@contextlib.contextmanager
def site(directory: Path, base: Mapping[str, Any]) -> Iterator[Site]:
    """A site that is stopped at the end."""
    made = Site(directory, base)
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def running_site(
    kafka: RunningKafka,
    paths: pytest.TempPathFactory,
    name: str,
    stores: Callable[[str], Mapping[str, Any]],
) -> Iterator[Site]:
    """A site with topics of its own, started, and stopped at the end."""
    base = {"kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": f"{name}{time.time_ns()}-"}}
    made = Site(paths.mktemp(name), base, stores)
    try:
        made.start()
        yield made
    finally:
        made.stop()
