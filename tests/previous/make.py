"""Make an archive of a data directory with the code of some version: see tests/data/previous/README.md."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
from tomli_w import dumps

from tests.integration.operating import Site
from tests.local_http import http
from tests.previous import history, watch
from tests.processes import is_alive, wait_until

FOLDER = Path(__file__).parents[1] / "data" / "previous"
#: The archive is to be read for years: nothing in it may be over its time by then.
DAYS = 3_650
SETTINGS = {
    "kafka": {
        "shop_partitions": 2,
        "account_partitions": 2,
        "shop_retention_days": DAYS,
        "record_retention_days": DAYS,
        "receipt_retention_days": DAYS,
        "dead_retention_days": DAYS,
        "session_timeout": 6.0,
    },
    # A webhook that Kafka confirms late is in the spool, too, and would come twice.
    "gateway": {"confirm_timeout": 5.0},
    "translate": {"state_days": DAYS},
    "deliver": {
        "state_days": DAYS,
        "import_poll": 0.3,
        "freshness": 2.0,
        "retry_min": 0.5,
        "retry_max": 2.0,
        "call_timeout": 5.0,
    },
}
#: No state: native libraries, and what the processes printed.
LEFT_OUT = ("data/logs", "data/kafka/broker-*/tmp", "*.log.[0-9]*", "server.log", "console.log")
CODES = tuple(f"SPRING{number}" for number in range(5))
_FAILING = {"effect": "error", "status": 503}


def main() -> None:
    """Run everything with that code, stop or kill it, and pack what it leaves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--code", type=Path, default=Path.cwd(), help="checkout whose code runs")
    parser.add_argument("--version", required=True, help="its version, for the archive's name")
    parser.add_argument(
        "--without-spool", action="store_true", help="for code whose spool is read by no other"
    )
    options = parser.parse_args()
    spooled = [] if options.without_spool else history.spooled()
    code = options.code.resolve()
    os.environ["PYTHONPATH"] = str(code)
    os.chdir(code)  # what `python -m pipeline` finds first
    for how in ("stopped", "killed"):
        with tempfile.TemporaryDirectory() as directory:
            expected = _run(Path(directory), how, spooled) | {
                "version": options.version,
                "commit": _commit(code),
            }
            Path(directory, "expected.json").write_bytes(orjson.dumps(expected, list, orjson.OPT_INDENT_2))
            archive = FOLDER / f"{options.version}-{how}.tar.xz"
            _pack(Path(directory), archive)
            print(f"{archive}: {archive.stat().st_size:,} bytes")


def _commit(code: Path) -> str:
    """The last one that changed what runs."""
    argv = ["git", "-C", str(code), "rev-list", "-1", "HEAD", "--", "pipeline"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def _run(directory: Path, how: str, spooled: list[history.Webhook]) -> dict[str, object]:
    site = Site(directory, SETTINGS)
    (directory / "settings.toml").write_text(dumps(SETTINGS), encoding="utf-8")
    try:
        site.start()
        posted = _tell(site)
        account, ledger = watch.account(site), watch.ledger(site)
        if how == "killed":
            _kill(site, spooled)
        else:
            _stop(site)
            _spool(site, spooled)
    finally:
        site.stop()
    return {
        "posted": posted,
        "account": account,
        "ledger": ledger,
        "spooled": spooled,
        "again": history.again(),
        "changed": history.changed(),
    }


def _tell(site: Site) -> int:
    """What is told, and then what waits; returns how many webhooks were taken."""
    posted = _post(site, history.told())
    forged = history.order(60)
    assert forged._replace(headers=forged.headers | {"x-shopify-hmac-sha256": "x"}).post(site) == 401
    key = {"Authorization": "apiKey acme:secret"}
    [coupons] = http.get(f"{site.connectif.url}/coupon-sets/", headers=key).json()["results"]
    site.coupons("acme", coupons["id"], *CODES)
    watch.wait_for(site, posted, pending=False)
    assert watch.outcome(watch.account(site)["records"], "dead") == 0
    purchases = {"account": "woo", "method": "POST", "route": "/purchases*"}
    site.connectif.faults({"effect": "close_after_store", "count": 1, **purchases}, _FAILING | purchases)
    posted += _post(site, [history.woo(history.UNANSWERED)])
    wait_until(lambda: str(history.UNANSWERED) in watch.ledger(site)["woo"]["purchases"])
    site.connectif.faults(_FAILING)
    posted += _post(site, history.waiting())
    watch.wait_for(site, posted, pending=True)
    return posted


def _post(site: Site, webhooks: list[history.Webhook]) -> int:
    for webhook in webhooks:
        status = webhook.post(site)
        assert status == 200, (status, webhook)
    return len(webhooks)


def _kill(site: Site, spooled: list[history.Webhook]) -> None:
    """Kafka does not answer any more, webhooks go to the spool, and everything is killed."""
    assert site._up is not None
    pids = _children(site._up.pid)
    [kafka] = [pid for pid in pids if b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(kafka, signal.SIGSTOP)
    _post(site, spooled)
    for pid in (site._up.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    site._up.wait()
    wait_until(lambda: not any(map(is_alive, pids)))


def _children(pid: int) -> list[int]:
    """Of all its threads."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def _stop(site: Site) -> None:
    assert site._up is not None
    site._up.send_signal(signal.SIGTERM)
    assert site._up.wait(60) == 0


def _spool(site: Site, spooled: list[history.Webhook]) -> None:
    """A gateway without Kafka takes webhooks, and is stopped, too."""
    if not spooled:
        return
    port = site.gateway.rpartition(":")[2]
    argv = [sys.executable, "-m", "pipeline", "gateway", "--config", str(site.path), "--port", port]
    gateway = subprocess.Popen(argv, env={**os.environ, "PIPELINE__KAFKA__BOOTSTRAP": "127.0.0.1:1"})
    try:
        wait_until(lambda: site.ready("gateway")[0] != 0, 30)
        _post(site, spooled)
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(60) == 0
    finally:
        gateway.kill()


def _pack(directory: Path, archive: Path) -> None:
    """Kafka's indexes are mostly holes, after a kill: GNU tar keeps them as such."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    argv = ["tar", "--create", "--xz", "--sparse", "--format=gnu", "--owner=0", "--group=0"]
    argv += ["--file", str(archive)]
    argv += [f"--exclude={pattern}" for pattern in LEFT_OUT]
    argv += ["--directory", str(directory), "data", "expected.json", "settings.toml"]
    subprocess.run(argv, env={**os.environ, "XZ_OPT": "-9e"}, check=True)


if __name__ == "__main__":
    main()
