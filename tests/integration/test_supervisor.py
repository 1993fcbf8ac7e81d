"""The supervisor, on small processes of Python: what it starts, starts again, and stops."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.local import supervisor
from pipeline.local.child import Child
from pipeline.local.logfile import LogFile
from pipeline.local.ports import free_port
from pipeline.local.supervisor import Command, Pace, ProcessPhase, Supervisor
from tests.processes import is_alive, until, wait_until

#: Of processes that have no HTTP side, so are never ready.
NOWHERE = "http://127.0.0.1:9"
QUICK = Pace(first=0.05, most=0.2, settled=60)

SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not os.path.exists("not-ready")
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"" if ready else b"Kafka does not answer")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
#: Writes its name to the file `order` when it is told to stop.
STOPPER = """
import signal, sys, time
def stop(*_):
    open("order", "a").write(sys.argv[1] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("running", flush=True)
time.sleep(60)
"""


def python(code: str, *args: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code, *args)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_a_process_is_ready_when_it_says_so(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    Path("not-ready").touch()
    server = Command("web", python(SERVER, str(port)), url)
    async with Supervisor([server], tmp_path / "logs", QUICK) as supervisor:
        await until(lambda: supervisor.status("web").detail == "Kafka does not answer")
        assert supervisor.status("web").phase is ProcessPhase.STARTING

        Path("not-ready").unlink()
        await supervisor.ready(10)

        assert supervisor.status("web").phase is ProcessPhase.READY
    assert supervisor.status("web").phase is ProcessPhase.STOPPED


async def test_a_killed_process_is_started_again_at_its_old_address(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Command("web", python(SERVER, str(port)), url)
    async with Supervisor([server], tmp_path / "logs", QUICK) as supervisor:
        await supervisor.ready(10)
        first = supervisor.status("web").pid
        assert first is not None

        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.status("web").restarts == 1)
        await supervisor.ready(10)

        assert supervisor.status("web").pid != first


async def test_a_process_that_keeps_ending_waits_longer_each_time(tmp_path: Path) -> None:
    failing = Command("failing", python("import sys; sys.exit('no disk')"), NOWHERE)
    async with Supervisor([failing], tmp_path / "logs", QUICK) as supervisor:
        await until(lambda: supervisor.status("failing").restarts >= 3)
        await until(lambda: supervisor.status("failing").detail.endswith(", again in 0.2 s"))
    assert (tmp_path / "logs" / "failing.log").read_text().splitlines()[:3] == ["no disk"] * 3
    assert [Pace(0.5, 15).wait(n) for n in (1, 2, 3, 5, 6, 10_000)] == [0.5, 1, 2, 8, 15, 15]


async def test_wrong_settings_are_not_tried_again_and_are_quoted(tmp_path: Path) -> None:
    refusing = Command("refusing", python("import sys; print('no account acme-es'); sys.exit(2)"), NOWHERE)
    async with Supervisor([refusing], tmp_path / "logs", QUICK) as supervisor:
        with pytest.raises(PipelineError, match="options are refused\n    no account acme-es"):
            await supervisor.ready(10)
        assert supervisor.status("refusing").phase is ProcessPhase.FAILED
        assert supervisor.status("refusing").restarts == 0


async def test_a_command_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    ghost = Command("ghost", ("/nowhere/ghost",), NOWHERE)
    async with Supervisor([ghost], tmp_path / "logs", QUICK) as supervisor:
        with pytest.raises(PipelineError, match="ghost cannot be run: No such file"):
            await supervisor.ready(10)


async def test_processes_are_stopped_in_the_reverse_order_of_their_start(tmp_path: Path) -> None:
    names = ("sandbox", "deliver", "gateway")
    commands = [Command(name, python(STOPPER, name), NOWHERE) for name in names]
    logs = tmp_path / "logs"
    async with Supervisor(commands, logs, QUICK) as supervisor:
        await until(lambda: all((logs / f"{name}.log").exists() for name in names))
        await until(lambda: all("running" in (logs / f"{name}.log").read_text() for name in names))
        pids = [status.pid for status in supervisor.statuses]
    assert Path("order").read_text().split() == ["gateway", "deliver", "sandbox"]
    assert not any(is_alive(pid) for pid in pids if pid)


async def test_a_process_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    command = Command("deaf", python(deaf), NOWHERE, stop_seconds=0.2)
    log = tmp_path / "logs" / "deaf.log"
    supervisor = Supervisor([command], tmp_path / "logs", QUICK)
    await supervisor.start()
    await until(lambda: log.exists() and "deaf" in log.read_text())
    pid = supervisor.status("deaf").pid

    began = time.monotonic()
    await supervisor.stop()

    assert time.monotonic() - began < 5
    assert pid is not None
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's leash is Linux's")
@pytest.mark.parametrize("thread", ["main", "a pool's"])
async def test_children_die_with_a_parent_that_was_killed(thread: str) -> None:
    parent = f"""
        import sys, time
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from pipeline.local.child import Child
        def start():
            return Child([sys.executable, "-c", "import time; time.sleep(60)"], Path("child.log"))
        if {thread == "main"}:
            child = start()
        else:
            with ThreadPoolExecutor(1) as pool:
                child = pool.submit(start).result()
            time.sleep(0.3)  # the pool's thread is gone: the child must not be
        print(child.pid if child.poll() is None else "ended", flush=True)
        time.sleep(60)
    """
    argv = [sys.executable, "-c", textwrap.dedent(parent)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(await asyncio.to_thread(process.stdout.readline))
        assert is_alive(child)

        process.kill()
        process.wait()

        await until(lambda: not is_alive(child))


def test_a_child_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    family = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        print(child.pid, flush=True)
        time.sleep(60)
    """
    log = tmp_path / "family.log"
    child = Child([sys.executable, "-S", "-c", textwrap.dedent(family)], log)
    wait_until(lambda: log.read_text().endswith("\n"))

    child.kill()

    wait_until(lambda: not is_alive(int(log.read_text())))
    assert child.poll() == -signal.SIGKILL


async def test_a_log_is_cut_while_its_process_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LOG_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor, "LogFile", functools.partial(LogFile, limit=200_000))
    talking = "import time\nwhile True: print('x' * 9_999, flush=True); time.sleep(0.001)"
    log = tmp_path / "logs" / "talking.log"
    async with Supervisor(
        [Command("talking", python(talking), NOWHERE)], tmp_path / "logs", QUICK
    ) as running:
        await until(lambda: log.with_name("talking.log.old").exists())
        await until(lambda: log.stat().st_size > 50_000)
        pid = running.status("talking").pid
        for _ in range(20):
            await until(lambda: log.stat().st_size < 2_000_000)
        assert running.status("talking").pid == pid


async def test_why_a_process_ended_is_said_in_its_own_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Command("failing", python("import sys; print('ERROR no disk'); sys.exit(70)"), NOWHERE)
    async with Supervisor([failing], tmp_path / "logs", QUICK) as running:
        await until(lambda: running.status("failing").restarts >= 1)
    said = caplog.records[0]
    assert said.getMessage().splitlines() == [
        "failing ended (exit code 70: it met something it did not expect), again in 0.05 s",
        "    ERROR no disk",
    ]
    assert said.__dict__["event"] == "child.ended"


@pytest.mark.parametrize("code", [2, 4])
async def test_what_would_change_nothing_is_not_started_again(tmp_path: Path, code: int) -> None:
    refusing = Command("refusing", python(f"import sys; sys.exit({code})"), NOWHERE)
    async with Supervisor([refusing], tmp_path / "logs", QUICK) as running:
        await until(lambda: running.failed == ["refusing"])
        assert running.status("refusing").restarts == 0
