"""`pipeline top`, `pipeline tap` and the status page of a site that runs, with an account that fails."""

from __future__ import annotations

import html
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from tests.broker import KafkaSettings
from tests.integration.operating import SHOPIFY, Site, shopify_order, site, woo_order
from tests.local_http import http
from tests.processes import wait_until

#: A small version is in test_trace.py, on a site that runs anyway.
pytestmark = [pytest.mark.kafka, pytest.mark.slow]

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory, kafka: Any) -> Iterator[Site]:
    """A site at work, whose status page can be signed in to."""
    settings = KafkaSettings(kafka.bootstrap, tmp_path_factory.mktemp("status"))
    token = settings.directory / "token"
    token.write_text(TOKEN)
    base = {"kafka": settings.tree()["kafka"], "http_token": {"file": str(token)}}
    with site(settings.directory, base) as made:
        made.start()
        wait_until(made.has_status_page, 60, every=0.2)
        yield made
    settings.remove_topics()


def top(play: Site) -> dict[str, Any]:
    """What `pipeline top --json` says."""
    found: dict[str, Any] = orjson.loads(play.command("top", "--json").stdout)
    return found


def test_a_site_where_all_is_well_and_then_an_account_fails(play: Site) -> None:
    tap = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "tap", "--json", "--config", str(play.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert tap.stderr is not None
        assert "watching" in tap.stderr.readline()
        _all_is_well(play)
        passed = _passed(tap)
    finally:
        tap.kill()
        tap.wait()
    events = [one for one in passed if one["outcome"] == "received"]
    assert [(one["store"], one["kind"], one["id"], one["what"]) for one in events] == [
        (SHOPIFY, "order", "11", "orders/paid")
    ]
    ended = {(one["kind"], one["outcome"]) for one in passed} - {("order", "received")}
    assert ended == {(kind, "delivered") for kind in ("contact", "product", "purchase")}
    assert "buyer11" not in orjson.dumps(passed).decode()
    _the_page_shows_it(play)
    _a_failing_account_is_seen(play)


def _all_is_well(play: Site) -> None:
    assert play.shopify("orders/paid", shopify_order(11), delivery="d1") == 200
    wait_until(lambda: play.totals().is_at_rest and play.totals().settled >= 3, 30, every=0.2)
    found = top(play)
    assert found["troubles"] == [], found
    assert found["notes"] == []
    assert {one["state"] for one in found["accounts"]} == {"fine"}
    assert {one["name"].partition(" ")[0] for one in found["processes"]} == {
        *("gateway", "translate", "deliver", "erase", "status")
    }
    last = {one["name"]: one["last_event"] for one in found["stores"]}
    assert 0 <= found["at"] - last[SHOPIFY] < 60
    done = play.command("top", "--once")
    assert done.returncode == 0
    assert "nothing to look at" in done.stdout
    assert re.search(r"^acme +fine", done.stdout, re.MULTILINE)


def _passed(tap: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """What a `tap` printed until Ctrl-C, after which it ends in order."""
    assert tap.stdout is not None
    lines = [tap.stdout.readline() for _ in range(4)]
    tap.send_signal(signal.SIGINT)
    rest, complaints = tap.communicate(timeout=20)
    assert tap.returncode == 0
    assert "Traceback" not in complaints
    return [orjson.loads(line) for line in [*lines, *rest.splitlines()]]


def _the_page_shows_it(play: Site) -> None:
    with httpx.Client(base_url=play.status_url, timeout=30) as browser:
        page = browser.get("/")
        assert page.status_code == 200
        assert "All well" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        account = browser.get("/account/acme").text
        assert "Nothing is pending." in account
        assert browser.get("/account/nobody").status_code == 404
        for query in ("11", "buyer11@example.com", "#11"):
            found = browser.get("/search", params={"q": query, "store": SHOPIFY, "reveal": "1"})
            assert found.status_code == 200, found.text
            assert "Connectif has it" in found.text
            assert "buyer11@" not in found.text.replace('value="buyer11@example.com"', "")
        assert "Connectif has it" in browser.get("/search", params={"q": "11"}).text
        nothing = browser.get("/search", params={"q": "404404", "store": SHOPIFY})
        assert nothing.status_code == 404
        assert "nothing is known of" in nothing.text
        assert browser.post("/signin", data={"token": "wrong" * 3}).status_code == 401
        assert browser.post("/signin", data={"token": TOKEN}).status_code == 303
        shown = browser.get("/search", params={"q": "11", "store": SHOPIFY, "reveal": "1"}).text
        assert "Repeat its events" in shown
        [key] = set(re.findall(r'name="key" value="([0-9a-f]+)"', shown))
        form = {"store": SHOPIFY, "kind": "order", "id": "11"}
        assert browser.post("/replay", data=form).status_code == 403, "no key of the form"
        begun = browser.post("/replay", data=form | {"key": key})
        assert begun.status_code == 200, begun.text
        [run] = re.findall(r"replay show ([\w-]+)", begun.text)
    wait_until(lambda: re.search(rf"{run}</th><td>done<", _overview(play)) is not None, 60, every=0.5)


def _a_failing_account_is_seen(play: Site) -> None:
    play.connectif.faults({"effect": "error", "status": 503, "account": "acme"})
    assert play.shopify("orders/paid", shopify_order(12), delivery="d2") == 200
    wait_until(lambda: "account acme is failing: server_error" in _overview(play), 30, every=0.5)
    found = top(play)
    worst = found["accounts"][0]
    assert (worst["name"], worst["reason"]) == ("acme", "server_error")
    assert worst["failing_seconds"] < 60
    assert sum(lane["waiting"] for lane in worst["lanes"].values()) >= 3
    [trouble] = found["troubles"]
    assert trouble["command"] == "pipeline deliver explain --account acme"
    done = play.command("top", "--once")
    assert done.returncode == 1
    assert "1 to look at" in done.stdout
    assert "fail since" in http.get(f"{play.status_url}/account/acme", timeout=30).text
    play.connectif.faults_gone()
    wait_until(lambda: "All well" in _overview(play), 60, every=0.5)


def test_a_dead_letter_is_counted_by_reason_and_sent_again_once(play: Site) -> None:
    rule = {"effect": "error", "status": 400, "account": "woo", "method": "POST", "route": "/purchases/"}
    play.connectif.faults(rule)
    assert play.woocommerce(woo_order(21)) == 200
    wait_until(lambda: len(play.dead("--account", "woo")) == 1, 60, every=0.5)
    play.connectif.faults_gone()
    with httpx.Client(base_url=play.status_url, timeout=60) as browser:
        assert browser.post("/signin", data={"token": TOKEN}).status_code == 303
        wait_until(lambda: "/redrive?" in browser.get("/account/woo").text, 90, every=1)
        [link] = re.findall(r'href="(/redrive[^"]*)"', browser.get("/account/woo").text)
        asked = browser.get(html.unescape(link))
        assert "1 dead letter" in asked.text, asked.text
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
        done = browser.post("/redrive", data=form)
        assert (done.status_code, "sent again" in done.text) == (200, True), done.text
        wait_until(lambda: len(play.connectif.ledger("woo", "purchases")) == 1, 60, every=0.5)
        again = browser.post("/redrive", data=form)
        assert "No dead letter" in " ".join(again.text.split())
    assert play.dead("--account", "woo") == []


def _overview(play: Site) -> str:
    return http.get(play.status_url, timeout=30).text
