"""What a game day runs on: broker, Connectif, a shop of each platform, `pipeline up`; and what is typed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.gameday.broker import Broker
from benchmarks.gameday.disk import SpoolDisk
from benchmarks.gameday.trade import Trade, TradingShop
from benchmarks.gameday.watch import Watch
from pipeline.local.gateways import GATEWAY, admin_port
from pipeline.local.wiring import ALL_STAGES
from tests.checked_shops import topics_of
from tests.integration.operating import SHOPIFY, WOO, Site
from tests.proof import running
from tests.proof.platforms import PROVED
from tests.proof.proof import Proof
from tests.proof.truth import Size

#: Calls of an account's window, which is a second; and seconds between two orders of a shop.
CALLS, EVERY = 8, 1.5
#: What shops have when the day begins.
SIZE = Size(contacts=12, products=8, orders=12)
#: Seconds that records of other accounts may wait.
LATE = 20.0
#: Seconds for anything to come to rest.
PATIENCE = 150.0
#: The account whose key is in a file.
ROTATED = running.store_of("prestashop")


class Typed(NamedTuple):
    """A command that was typed: as the page has it, its exit code, and all that it printed."""

    command: str
    code: int
    said: str


class Scene:
    """See the module; a context manager that starts everything, and stops it.

    Args:
        directory: all that is written lies in it.
        with_prometheus: whether alerts are looked at.
    """

    def __init__(self, directory: Path, *, with_prometheus: bool) -> None:
        self._directory = directory
        kafka = {
            "shop_partitions": 2,
            "account_partitions": 2,
            "session_timeout": 6,
            "flush_each_message": True,
        }
        base = {"kafka": kafka, "gateway": {"confirm_timeout": 1.0}}
        self.site = Site(directory, base, lambda url: running.stores(PROVED, url), calls=CALLS)
        self.key = directory / "key-of-prestashop"
        self.data = directory / "data"
        self._settle_settings()
        self.broker = Broker(self.site.path, self.data, directory / "kafka.log")
        self.disk = SpoolDisk(self.data / "gateway", lambda: self.site.pids("gateway"))
        self.watch = Watch(self.site, directory if with_prometheus else None)
        #: What commands printed that later ones need: `PID`, and the id of a letter.
        self._known: dict[str, str] = {}

    def _settle_settings(self) -> None:
        tree = self.site.tree
        for table, names in {"stores": (SHOPIFY, WOO), "accounts": ("acme", "woo")}.items():
            for name in names:
                del tree[table][name]
        self.rotate("secret")
        tree["accounts"][ROTATED]["api_key"] = {"file": str(self.key)}
        tree["deliver"]["freshness"] = 1.0  # a minute
        tree["gateway"]["public_url"] = self.site.gateway
        self.site.write()

    def rotate(self, secret: str) -> None:
        """Write another key of the account into its file; what runs has the one before."""
        self.key.write_text(f"{ROTATED}:{secret}", encoding="utf-8")
        self.key.chmod(0o600)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for stop in (self.disk.close, self.broker.stop, self.site.stop):
                undo.callback(stop)
            self.broker.start()
            self.site.start()
            undo.callback(self.watch.stop)
            self.watch.start()
            self.proof = Proof(self.site, list(PROVED), SIZE, seed=1, patience=PATIENCE)
            undo.callback(self.proof.close)
            self.proof.first_sync(0)
            self.trade = undo.enter_context(Trade(self.proof.shops.values(), EVERY))
            woo = self.shop("woocommerce")
            woo.shop.has_webhooks(self.webhooks("active"))
            woo.tells = lambda: any(row["status"] == "active" for row in woo.shop.webhooks())
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    # The world outside.

    def shop(self, platform: str) -> TradingShop:
        """The shop of a platform."""
        return self.trade.shops[running.store_of(platform)]

    def webhooks(self, status: str) -> list[dict[str, object]]:
        """The WooCommerce shop's webhooks, in a status."""
        name = running.store_of("woocommerce")
        address = f"{self.site.gateway}/webhooks/woocommerce/{name}"
        return [row | {"status": status} for row in topics_of("woocommerce", address, running.SECRET)]

    # What the person on call does.

    def type(self, command: str, subject: str = "") -> Typed:
        """Type a command of a runbook, with this site's names in place of the page's.

        Args:
            command: as the page has it.
            subject: the store or account that the page calls acme-es.
        """
        if command == "pipeline kafka":
            self.broker.start()
            return Typed(command, 0, "")
        if command.startswith("pipeline up"):
            self.site.start()
            return Typed(command, 0, "")
        done = subprocess.run(
            ["bash", "-c", self._here(command, subject)],
            cwd=self._directory,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PIPELINE_CONFIG": str(self.site.path),
                "COLUMNS": "200",
            },
            input="y\n",  # some ask whether they shall go on
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        self._note(command, done.stdout)
        return Typed(command, done.returncode, done.stdout + done.stderr)

    def _here(self, command: str, subject: str) -> str:
        names = {"DATA_DIR": str(self.data), "acme-es": subject, **self._known}
        for number, stage in enumerate(ALL_STAGES):
            if stage in self.site.urls:
                port = admin_port(8080) if stage == GATEWAY else 8080 + number
                names[f"localhost:{port}"] = self.site.urls[stage].partition("//")[2]
        for name, value in names.items():
            command = command.replace(name, value)
        return command

    def _note(self, command: str, said: str) -> None:
        """Remember the id that a command printed: of the process that is `up`'s, or of the first letter."""
        if command.startswith("pgrep"):
            pids = re.findall(r"^(\d+) .*python", said, re.MULTILINE)
            ours = [pid for pid in pids if self._is_ours(int(pid))]
            assert len(ours) == 1, said
            self._known["PID"] = ours[0]
        elif command.startswith("pipeline dead list"):
            self._known["2:1034"] = re.findall(r"\b\d+:\d+\b", said)[0]

    def _is_ours(self, pid: int) -> bool:
        """Whether `pipeline up` of this site started it: nothing else is ended."""
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return int(said[1]) == self.site.up


def late_beside(scene: Scene, account: str) -> str:
    """Which accounts wait or fail beside the one that may, by `pipeline top --json`."""
    names = [
        str(one["name"])
        for one in scene.watch.top()["accounts"]
        if one["name"] != account
        and (one["state"] not in {"fine", "waiting"} or (one["lanes"]["live"]["oldest_seconds"] or 0) > LATE)
    ]
    return f"held up as well: {', '.join(names)}" if names else ""
