"""`pipeline up`: what is started with what, in which order, and brought back; the stages are stubs."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tomli_w import dumps

from pipeline.config import load
from pipeline.errors import PipelineError, SettingsError
from pipeline.kafka import topic_check
from pipeline.kafka.address import answers, bootstrap
from pipeline.listening import bound_socket
from pipeline.local import addresses
from pipeline.local.ports import free_port
from pipeline.local.supervisor import ProcessPhase
from pipeline.local.wiring import Wiring
from tests.broker import KafkaSettings
from tests.processes import is_alive, until
from tests.settings_trees import ACCOUNT

pytestmark = pytest.mark.kafka

#: A `pipeline` that notes how it was called, and that it was stopped, and is ready at once.
STUB = """
import http.server, os, signal, socket, sys, threading
words = [word for word in sys.argv[1:] if not word.startswith("-")]
options = dict(zip(sys.argv[1::1], sys.argv[2::1]))
name = "-".join(word for word in sys.argv[1:sys.argv.index("--config")])
def note(what):
    open("notes", "a").write(f"{what} {name}\\n")
def stop(*_):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
given = os.environ.get("PIPELINE_LISTENS", "").rpartition("=")[2]  # the gateway's, which is open already
server = http.server.HTTPServer((options["--host"], int(options["--port"])), Handler, not given)
if given:
    server.socket = socket.socket(fileno=int(given))
if "--admin-port" in options:
    own = http.server.HTTPServer((options["--admin-host"], int(options["--admin-port"])), Handler)
    threading.Thread(target=own.serve_forever, daemon=True).start()
assert open(options["--config"]).read()
note("started")
server.serve_forever()
"""
PROGRAM = (sys.executable, "-S", "-c", STUB)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def accounts(**base_urls: str) -> dict[str, object]:
    return {"accounts": {name: ACCOUNT | {"base_url": url} for name, url in base_urls.items()}}


async def test_every_process_is_started_and_stopped_upstream_first(kafka_settings: KafkaSettings) -> None:
    path = kafka_settings.write(accounts(es=(sandbox := f"http://127.0.0.1:{free_port()}")))
    settings = load(path, {})

    scraped = kafka_settings.directory / "prometheus"
    async with Wiring(settings, sandbox=True, scraped=scraped, program=PROGRAM) as wiring:
        assert wiring.kafka is None
        assert wiring.urls["sandbox"] == sandbox
        assert {status.name: status.phase for status in wiring.statuses} == dict.fromkeys(
            ["sandbox", "deliver", "erase", "translate", "gateway", "status"], ProcessPhase.READY
        )
        assert topic_check.verify(settings).problems == ()
        assert addresses.read(settings.data_dir) == wiring.urls, "whoever looks at the status finds them"
        targets = json.loads((scraped / "targets.json").read_text())
        assert {one["labels"]["process"] for one in targets} == wiring.urls.keys() - {"sandbox"}

    assert addresses.read(settings.data_dir) == {}
    notes = Path("notes").read_text().splitlines()
    assert sorted(notes[:6]) == [
        "started erase-serve",
        "started gateway",
        "started sandbox",
        "started status-serve",
        "started worker-deliver",
        "started worker-translate",
    ]
    assert notes[6:] == [
        "stopped status-serve",
        "stopped gateway",
        "stopped erase-serve",
        "stopped worker-translate",
        "stopped worker-deliver",
        "stopped sandbox",
    ]


async def test_an_own_broker_that_is_killed_comes_back_at_its_address(tmp_path: Path) -> None:
    tree = {"data_dir": str(tmp_path / "data"), "kafka": {"shop_partitions": 1, "account_partitions": 1}}
    path = tmp_path / "pipeline.toml"
    path.write_text(dumps(tree))
    settings = load(path, {})
    async with Wiring(settings, program=PROGRAM) as wiring:
        assert wiring.kafka is not None
        assert "sandbox" not in wiring.urls
        address, (pid,) = bootstrap(settings), wiring.kafka.pids.values()
        async with wiring.watched():
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not answers(address))
            await until(lambda: wiring.status("kafka").restarts == 1, 5)
            await until(lambda: wiring.status("kafka").phase is ProcessPhase.READY, 60)
        assert bootstrap(settings) == address
        (pid,) = wiring.kafka.pids.values()
    assert not is_alive(pid)
    assert wiring.status("kafka").phase is ProcessPhase.STOPPED


async def test_a_taken_port_is_named_before_anything_starts(kafka_settings: KafkaSettings) -> None:
    path = kafka_settings.write()
    wiring = Wiring(load(path, {}), program=PROGRAM)
    place = urlsplit(wiring.urls["translate"])
    with bound_socket("127.0.0.1", place.port or 0) as taken:
        taken.listen()
        with pytest.raises(PipelineError, match=f"cannot listen on 127.0.0.1:{place.port}: Address already"):
            async with wiring:
                pass
    assert not Path("notes").exists()


@pytest.mark.parametrize(
    "base_urls",
    [
        {"es": "https://api.connectif.cloud"},
        {"es": "http://127.0.0.1:9100", "fr": "http://127.0.0.1:9200"},
        {"es": "http://localhost"},
    ],
)
def test_a_sandbox_nobody_would_call_is_refused(
    base_urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "id:secret")
    tree = {"accounts": {n: {"api_key": {"env": "KEY"}, "base_url": url} for n, url in base_urls.items()}}
    path = tmp_path / "pipeline.toml"
    path.write_text(dumps(tree))
    with pytest.raises(SettingsError, match="a sandbox needs accounts whose base_url is one address"):
        Wiring(load(path), sandbox=True)
