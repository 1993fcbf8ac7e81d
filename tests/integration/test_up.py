"""`pipeline up` as a process, its stages stubs: what ends it, what does not, and what it leaves readable."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w

from pipeline.local import reloads
from tests.broker import KafkaSettings
from tests.integration.operating import free_ports
from tests.local_http import http
from tests.processes import is_alive, wait_until

pytestmark = pytest.mark.kafka

#: A `pipeline` that is ready at once, notes its settings and secrets, and ends as `<name>.ends` says.
STUB = """
import http.server, os, signal, socket, sys, threading
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
options = dict(zip(sys.argv[1::1], sys.argv[2::1]))
words = sys.argv[1 : sys.argv.index("--config")]
name = words[0] if words[-1] == "serve" else words[-1]
if os.path.exists(name + ".ends"):
    print("error: there is no account acme-es", flush=True)
    sys.exit(int(open(name + ".ends").read()))
secrets = sorted(value for key, value in os.environ.items() if key.startswith("PIPELINE_SECRET_"))
overrides = [key for key in os.environ if key.startswith("PIPELINE__")]
open(name + ".settings", "a").write(repr((open(options["--config"]).read(), secrets, overrides)) + "\\n")
open(name + ".pids", "a").write(str(os.getpid()) + "\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
given = os.environ.get("PIPELINE_LISTENS", "").rpartition("=")[2]
server = http.server.HTTPServer((options["--host"], int(options["--port"])), Handler, not given)
if given:
    server.socket = socket.socket(fileno=int(given))
if "--admin-port" in options:
    own = http.server.HTTPServer((options["--admin-host"], int(options["--admin-port"])), Handler)
    threading.Thread(target=own.serve_forever, daemon=True).start()
server.serve_forever()
"""
PROGRAM = (sys.executable, "-S", "-c", STUB)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_SHOP", "hush")


@dataclass(frozen=True, slots=True)
class Up:
    """A running `up`; the directory is the working directory of the test."""

    pid: int
    gateway: str
    data: Path

    def pids(self, name: str) -> list[int]:
        """Of a stage's processes, in the order of their starts."""
        return [int(pid) for pid in Path(f"{name}.pids").read_text().split()]

    def is_up(self, port: int = 0) -> bool:
        """Whether the gateway, or a worker after it, answers."""
        place, _, first = self.gateway.rpartition(":")
        with contextlib.suppress(httpx.HTTPError):
            return http.get(f"{place}:{int(first) + port}/", timeout=2).status_code == 200
        return False

    @property
    def log(self) -> str:
        """What it wrote into its own log."""
        return (self.data / "logs" / "up.log").read_text()


def settings_of(kafka_settings: KafkaSettings, **changes: Any) -> Path:
    """A file for one store, whose secret is in the environment."""
    account = {"api_key": "id:secret", "base_url": "http://127.0.0.1:9100"}
    store = {
        "platform": "shopify",
        "account": "es",
        "domain": "acme.example",
        "secrets": [{"env": "TEST_SHOP"}],
    }
    return kafka_settings.write({"accounts": {"es": account}, "stores": {"acme": store}, **changes})


def command(path: Path, port: int) -> list[str]:
    code = (
        "from pathlib import Path\nfrom pipeline.local import up\n"
        f"up.run(Path({str(path)!r}), sandbox=False, host='127.0.0.1', port={port}, program={PROGRAM!r})\n"
    )
    return [sys.executable, "-c", code]


@contextlib.contextmanager
def running(path: Path, data: Path) -> Iterator[Up]:
    """`up` with its output in the file `said`, ready; stopped at the end, which must be clean."""
    port = free_ports(3)
    with Path("said").open("wb") as said:
        process = subprocess.Popen(command(path, port), stdout=said, stderr=said)
    up = Up(process.pid, f"http://127.0.0.1:{port}", data)
    try:
        wait_until(lambda: "webhooks to" in Path("said").read_text() or process.poll() is not None, 60)
        assert process.poll() is None, Path("said").read_text()
        yield up
        assert process.poll() is None, Path("said").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_it_says_where_webhooks_go_and_where_data_lie(kafka_settings: KafkaSettings) -> None:
    path = settings_of(kafka_settings)
    with running(path, kafka_settings.directory / "data") as up:
        said = Path("said").read_text()
        assert re.search(r"acme\.example: webhooks to http://127\.0\.0\.1:\d+/webhooks/shopify/acme\n", said)
        assert f"settings {path}, data in {up.data}\n" in said


def test_processes_started_later_run_on_the_settings_it_started_with(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE__ACCOUNTS__ES__CALLS_PER_MINUTE", "77")
    path = settings_of(kafka_settings)
    with running(path, kafka_settings.directory / "data") as up:
        path.write_text("[accounts.es\n")  # somebody is editing it
        for name in ("translate", "gateway"):
            (pid,) = up.pids(name)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda name=name: len(up.pids(name)) == 2)  # type: ignore[misc]
            first, second = Path(f"{name}.settings").read_text().splitlines()
            assert first == second
        assert "calls_per_minute = 77" in first
        assert "hush" in first.rpartition("[")[0], "in the environment"
        assert "hush" not in (up.data / "up" / "settings.toml").read_text()
        assert first.endswith(", [])"), "overrides are applied once"


def test_a_settings_error_of_one_process_stops_that_one_alone_and_loudly(
    kafka_settings: KafkaSettings,
) -> None:
    with running(settings_of(kafka_settings), kafka_settings.directory / "data") as up:
        Path("translate.ends").write_text("2")
        (pid,) = up.pids("translate")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "translate stopped for good: its settings or options are refused" in up.log)
        assert "error: there is no account acme-es" in up.log
        assert "stopped for good" in Path("said").read_text()
        assert up.is_up()
        assert up.is_up(2)
        assert len(up.pids("translate")) == 1


@contextlib.contextmanager
def connecting(port: int) -> Iterator[list[str]]:
    """Somebody connects all the time; what was refused is in the list."""
    refused: list[str] = []
    over = threading.Event()

    def connect() -> None:
        while not over.wait(0.002):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=20).close()
            except OSError as error:
                refused.append(str(error))

    shop = threading.Thread(target=connect)
    shop.start()
    try:
        yield refused
    finally:
        over.set()
        shop.join()


def test_a_reload_takes_a_store_over_and_refuses_no_connection(kafka_settings: KafkaSettings) -> None:
    path, data = settings_of(kafka_settings), kafka_settings.directory / "data"
    (kafka_settings.directory / "secret").write_text("whispered")
    with running(path, data) as up, connecting(int(up.gateway.rpartition(":")[2])) as refused:
        told: list[str] = []
        assert reloads.ask(data, 60, told.append)["outcome"] == "unchanged"
        assert len(up.pids("gateway")) == 1
        with path.open("a") as file:
            file.write(
                '\n[stores.new]\nplatform = "shopify"\naccount = "es"\ndomain = "new.example"\n'
                'secrets = [{ file = "secret" }]\n'
            )
        outcome = reloads.ask(data, 60, told.append)
        assert (outcome["outcome"], [change["place"] for change in outcome["changes"]]) == (
            "taken",
            ["stores.new"],
        )
        assert told == [f"process {up.pid} reads its settings; one process after the other begins again"] * 2
        for name in ("gateway", "translate", "deliver", "erase", "status"):
            assert len(up.pids(name)) == 2
            assert "whispered" in Path(f"{name}.settings").read_text().splitlines()[1]
        assert up.is_up()
        (worker,) = up.pids("translate")[1:]
        os.kill(worker, signal.SIGKILL)  # what starts later has the new settings, too
        wait_until(lambda: len(up.pids("translate")) == 3)
        assert "whispered" in Path("translate.settings").read_text().splitlines()[2]
    assert refused == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[accounts.es\n", "is not valid TOML"),
        ('[stores.bad]\nplatform = "opencart"\n', "stores.bad.platform: opencart is none of"),
        ("[translate]\nbatch = 0\n", "translate.batch"),
        ('[archive]\nurl = "nowhere"\n', "archive.url"),
    ],
)
def test_settings_that_cannot_be_taken_over_change_nothing(
    kafka_settings: KafkaSettings, text: str, why: str
) -> None:
    path, data = settings_of(kafka_settings), kafka_settings.directory / "data"
    before = path.read_text()
    with running(path, data) as up:
        path.write_text(before + "\n" + text)
        outcome = reloads.ask(data, 60, lambda _: None)
        assert outcome["outcome"] == "refused"
        assert why in outcome["said"][0]
        assert why in up.log
        assert [len(up.pids(name)) for name in ("gateway", "translate", "deliver")] == [1, 1, 1]


def test_a_store_that_is_taken_out_and_a_broker_that_moves_are_refused_with_the_way_out(
    kafka_settings: KafkaSettings,
) -> None:
    path, data = settings_of(kafka_settings), kafka_settings.directory / "data"
    tree = tomllib.loads(path.read_text())
    with running(path, data) as up:
        del tree["stores"]["acme"]
        tree["kafka"]["bootstrap"] = "127.0.0.1:1"
        path.write_text(tomli_w.dumps(tree))
        [said] = reloads.ask(data, 60, lambda _: None)["said"]
        assert "kafka.bootstrap: clients and topics are made by it" in said
        assert "stores.acme: it is gone" in said
        assert "translate.retired_stores" in said
        assert len(up.pids("gateway")) == 1


def test_a_worker_whose_name_another_has_is_not_started_again(kafka_settings: KafkaSettings) -> None:
    Path("deliver.ends").write_text("4")
    with running(settings_of(kafka_settings), kafka_settings.directory / "data") as up:
        assert "deliver stopped for good: another worker of this name runs" in up.log
        assert up.is_up()


def test_a_gateway_that_cannot_run_at_all_ends_it_with_its_last_words(kafka_settings: KafkaSettings) -> None:
    Path("gateway.ends").write_text("2")
    done = subprocess.run(
        command(settings_of(kafka_settings), free_ports(3)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode
    assert "gateway is not ready: its settings or options are refused" in done.stderr
    assert "there is no account acme-es" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="terminals are like that on Linux")
def test_the_end_of_its_terminal_changes_nothing(kafka_settings: KafkaSettings) -> None:
    path, port = settings_of(kafka_settings), free_ports(3)
    argv = command(path, port)
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored, as under nohup
        os.execv(argv[0], argv)  # noqa: S606 - the command under test
    up = Up(pid, f"http://127.0.0.1:{port}", kafka_settings.directory / "data")
    try:
        shown = b""
        while b"webhooks to" not in shown:
            shown += os.read(terminal, 65_536)
        os.close(terminal)
        wait_until(lambda: "the terminal is gone; everything goes on" in up.log)
        (worker,) = up.pids("deliver")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(up.pids("deliver")) == 2)
        wait_until(up.is_up)
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert not any(is_alive(one) for name in ("gateway", "translate", "deliver") for one in up.pids(name))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="stands for a full disk")
def test_a_disk_that_takes_no_log_ends_nothing(kafka_settings: KafkaSettings) -> None:
    logs = kafka_settings.directory / "data" / "logs"
    logs.mkdir(parents=True)
    for name in ("up", "gateway", "translate"):
        (logs / f"{name}.log").symlink_to("/dev/full")
    (logs / "deliver.log").mkdir()  # stands for one that cannot be opened
    with running(settings_of(kafka_settings), kafka_settings.directory / "data") as up:
        assert "deliver runs without a log" in Path("said").read_text()
        (pid,) = up.pids("deliver")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(up.pids("deliver")) == 2)
        assert all(up.is_up(port) for port in range(3))


def test_a_second_one_in_the_same_place_is_told_which_process_has_it(kafka_settings: KafkaSettings) -> None:
    path = settings_of(kafka_settings)
    with running(path, kafka_settings.directory / "data") as up:
        done = subprocess.run(command(path, 0), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert f"this data_dir is in use by process {up.pid}, started " in done.stderr


def test_nothing_it_leaves_is_readable_by_others(kafka_settings: KafkaSettings) -> None:
    data = kafka_settings.directory / "data"
    data.mkdir(mode=0o755)
    with running(settings_of(kafka_settings), data):
        pass
    found = [data, *data.rglob("*")]
    assert len(found) > 5
    assert [str(path) for path in found if path.stat().st_mode & 0o077] == []


def test_lines_of_json_are_all_that_it_writes_where_they_are_wanted(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_LOG_FORMAT", "json")
    with running(settings_of(kafka_settings), kafka_settings.directory / "data") as up:
        lines = [json.loads(line) for line in Path("said").read_text().splitlines()]
        written = [json.loads(line) for line in up.log.splitlines()]
    for line in (*lines, *written):
        assert {"time", "level", "event", "message", "logger"} <= line.keys()
    assert {"process.begins", "up.says", "child.phase"} <= {line["event"] for line in lines}
    assert not [line for line in lines if line["level"] not in {"INFO", "WARNING"}]
