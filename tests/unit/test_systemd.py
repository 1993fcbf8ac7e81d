"""The units of deploy/systemd: their commands are there, systemd takes them, and they may do little."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config import DEFAULT_PATH
from pipeline.errors import PipelineError, SettingsError
from pipeline.local.artefacts import cache_dir
from pipeline.local.wiring import ALL_STAGES
from pipeline.logs import VARIABLE
from tests.commands import parsed

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
COMMON = UNITS / "pipeline-.service.d" / "10-every.conf"
#: What systemd itself brings, as far as the units name it.
OF_SYSTEMD = ("sysinit", "basic", "shutdown", "sockets", "network-online", "network", "multi-user", "tmp")
#: Of a hundred, as `systemd-analyze security` counts; a unit without a line of this has 96.
EXPOSURE = 20

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)


def words(path: Path) -> list[str]:
    """The command that a unit runs, after the program."""
    found: list[str] = re.findall(r"^ExecStart=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    (line,) = found
    program, *rest = line.replace("${LISTEN_ON}", "127.0.0.1").replace("%H", "host").split()
    assert program == "/opt/pipeline/bin/pipeline"
    return rest


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """A file system that has the units, and what they name."""
    directory = tmp_path / "etc/systemd/system"
    shutil.copytree(UNITS, directory)
    for name in OF_SYSTEMD:
        (directory / f"{name}.{'mount' if name == 'tmp' else 'target'}").write_text(
            "[Mount]\nWhat=tmpfs\nWhere=/tmp\n" if name == "tmp" else "[Unit]\nDescription=x\n"
        )
    for program in ("opt/pipeline/bin/pipeline", "bin/kill"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


def analyzed(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *argv], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_every_command_is_there(path: Path) -> None:
    parsed(words(path))


def test_every_process_of_up_has_a_unit_on_the_port_of_its_command() -> None:
    commands = {path.stem.removeprefix("pipeline-"): words(path) for path in SERVICES}
    for name in ALL_STAGES:
        line = commands[name]
        assert parsed(line)["port"] == parsed(line[: line.index("--host")])["port"], name


def test_the_gateways_figures_are_where_the_other_processes_are_and_the_status_page_asks() -> None:
    options = parsed(words(UNITS / "pipeline-gateway.service"))
    assert "--admin-host ${LISTEN_ON}" in (UNITS / "pipeline-gateway.service").read_text(encoding="utf-8")
    place = f"http://{options['admin_host']}:{options['admin_port']}"
    assert place in parsed(words(UNITS / "pipeline-status.service"))["process"]


def test_the_sockets_are_those_that_the_gateway_looks_for() -> None:
    for name in ("up", "gateway"):
        socket = configparser.ConfigParser(strict=False)
        socket.read(UNITS / f"pipeline-{name}.socket")
        host, _, port = socket["Socket"]["ListenStream"].rpartition(":")
        options = parsed(words(UNITS / f"pipeline-{name}.service"))
        assert (options["host"], options["port"]) == (host, int(port))


def test_no_start_is_tried_again_that_would_end_in_the_same_way() -> None:
    text = COMMON.read_text(encoding="utf-8")
    (line,) = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert SettingsError("x", hint="y").exit_code in {int(code) for code in line.split()}
    assert PipelineError("x", hint="y").exit_code not in {int(code) for code in line.split()}


def test_the_variables_are_those_that_the_product_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    text = COMMON.read_text(encoding="utf-8")
    given = dict(re.findall(r"([A-Z_]+)=(/\S+)", text))
    assert Path(given["PIPELINE_CONFIG"]).name == DEFAULT_PATH.name
    monkeypatch.setenv("PIPELINE_CACHE", given["PIPELINE_CACHE"])
    assert cache_dir() == Path(given["PIPELINE_CACHE"])
    assert VARIABLE not in given, "the journal has its own fields; text is for people"


@needs_systemd
def test_systemd_takes_the_units(root: Path) -> None:
    names = [path.name for path in UNITS.iterdir() if path.is_file()]
    done = analyzed("verify", f"--root={root}", *names)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_a_unit_that_systemd_would_ignore_lines_of_is_noticed(root: Path) -> None:
    unit = root / "etc/systemd/system/pipeline-gateway.service"
    unit.write_text(unit.read_text(encoding="utf-8").replace("MemoryMax=", "MemoryMaximum="))
    assert "MemoryMaximum" in analyzed("verify", f"--root={root}", unit.name).stderr


@needs_systemd
def test_a_process_may_do_little(root: Path) -> None:
    names = [path.name for path in SERVICES]
    done = analyzed("security", "--offline=true", f"--root={root}", f"--threshold={EXPOSURE}", *names)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if "exposure" in line]
    (root / "etc/systemd/system/pipeline-.service.d" / COMMON.name).unlink()
    assert analyzed(
        "security", "--offline=true", f"--root={root}", f"--threshold={EXPOSURE}", *names
    ).returncode
