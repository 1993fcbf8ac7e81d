"""The command line: what every command has, and what is said instead of a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from typer.main import get_command
from typer.testing import CliRunner

from pipeline import process
from pipeline.cli import app, options
from pipeline.config import Settings
from pipeline.exposition import Exposition

ROOT = Path(__file__).parents[2]


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words
        return
    for name, one in below.items():
        yield from _commands(one, (*words, name))


COMMANDS = sorted(_commands(get_command(app)))


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


def test_the_version_is_said() -> None:
    assert run("--version").stdout == f"pipeline {process.version()}\n"


@pytest.mark.parametrize("words", [[], ["gateway"], ["worker", "deliver"], ["coupons", "add"], ["up"]])
def test_every_command_explains_itself_to_h(words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "-h"])
    assert done.exit_code == 0
    assert "Usage" in done.output


def test_a_process_tells_its_version_to_prometheus_and_where_its_data_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    umask = os.umask(0o022)
    try:
        process.begin("gateway", Settings(data_dir=tmp_path / "data"), tmp_path / "pipeline.toml")
        assert os.umask(umask) == 0o077
    finally:
        os.umask(umask)
    assert f"settings {tmp_path / 'pipeline.toml'}, data in {tmp_path / 'data'}\n" in capsys.readouterr().err
    labels = {"version": process.version(), "python": sys.version.split()[0]}
    assert REGISTRY.get_sample_value("pipeline_build_info", labels) == 1
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_process_says_how_much_room_its_disk_has_and_nothing_where_that_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    umask = os.umask(0o022)
    try:
        process.begin("gateway", Settings(data_dir=data), tmp_path / "pipeline.toml")
    finally:
        os.umask(umask)
    free, size = (REGISTRY.get_sample_value(f"pipeline_disk{name}") for name in ("_free_bytes", "_bytes"))
    assert free is not None
    assert size is not None
    assert 0 < free <= size
    usage = shutil.disk_usage(data)
    assert size == usage.used + usage.free
    data.rmdir()
    page = "".join(Exposition("gateway").parts())
    assert "\npipeline_disk_free_bytes NaN\n" in page
    assert "\npipeline_build_info{" in page, "the other series are there"


@pytest.mark.parametrize("words", [["gateway", "--log-format", "json"], ["--log-format", "json", "gateway"]])
def test_an_error_is_one_object_where_lines_are_json(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "p.toml").write_text("data_dir = 5")
    done = run(*words, PIPELINE_CONFIG=str(tmp_path / "p.toml"))
    assert done.returncode == 2
    tree = json.loads(done.stderr)
    assert tree["event"] == "process.refused"
    assert "data_dir: must be a path" in tree["message"]


def test_an_error_is_a_sentence_and_a_way_out_elsewhere(tmp_path: Path) -> None:
    done = run("gateway", "--config", str(tmp_path / "none.toml"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no settings file")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert f"Example: `pipeline {' '.join(words)}" in shown.output


def test_a_plan_needs_no_secret_and_says_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[accounts.acme]\napi_key = { env = "TEST_NOT_SET" }\n')
    done = run("plan", "--orders", "200", "--config", str(tmp_path / "p.toml"))
    assert done.returncode == 0, done.stderr
    assert "acme" in done.stdout


def test_nothing_is_left_of_a_format_that_a_test_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_LOG_FORMAT", raising=False)
    assert options._choose_format(None) is None
    assert "PIPELINE_LOG_FORMAT" not in os.environ


# make.py, in a copy: it must not touch the environment the tests run in.


@pytest.fixture(name="copied")
def _copied(tmp_path: Path) -> Path:
    for name in ("make.py", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def make(copied: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "make.py", "setup"],
        cwd=copied,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, **environ},
    )


def test_make_without_a_network_says_so(copied: Path) -> None:
    done = make(
        copied, PIPELINE_VENV=str(copied / "venv"), PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0"
    )
    assert done.returncode == 1
    assert "The first time needs a network" in done.stderr
    assert "Traceback" not in done.stderr


def test_make_where_nothing_can_be_written_says_so(copied: Path) -> None:
    (copied / "file").write_text("")
    done = make(copied, PIPELINE_VENV=str(copied / "file" / "venv"))
    assert done.returncode == 1
    assert "cannot be used: Not a directory. To put the environment elsewhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_are_written_over_nobody_s_own(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.toml"
    assert CliRunner().invoke(app, ["settings", "--write", str(file)]).exit_code == 0
    own = file.read_text() + "\n[stores.mine]\n"
    file.write_text(own)
    refused = run("settings", "--write", str(file))
    assert (refused.returncode, file.read_text()) == (1, own)
    assert "settings of its own" in refused.stderr
    assert CliRunner().invoke(app, ["settings", "--write", str(file), "--force"]).exit_code == 0
    assert file.read_text() != own


def test_a_settings_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    refused = run("settings", "--write", str(tmp_path / "none" / "pipeline.toml"))
    assert refused.returncode == 1
    assert "cannot be written: No such file" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_refusal_names_the_file_and_what_the_environment_changed(tmp_path: Path) -> None:
    file = tmp_path / ("long" * 30) / "pipeline.toml"
    file.parent.mkdir()
    file.write_text("data_dirs = 'x'\n")
    done = run("topics", "--config", str(file), PIPELINE__GATEWAY__NONE="1")
    assert done.returncode == 2
    assert f"error: the settings in {file} are not usable:\n" in done.stderr  # a path is not broken in two
    assert "  data_dirs: there is no such setting\n" in done.stderr
    assert "from the environment come PIPELINE__GATEWAY__NONE\n" in done.stderr


def test_a_format_of_logs_that_is_none_is_refused() -> None:
    done = run("settings", PIPELINE_LOG_FORMAT="xml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PIPELINE_LOG_FORMAT" in done.stderr
    assert "text, json" in done.stderr


def test_to_check_and_to_alter_the_topics_exclude_each_other() -> None:
    assert run("topics", "--check", "--apply").returncode == 2


@pytest.mark.parametrize(
    "words",
    [("trace", "acme-es", "order"), ("trace", "acme-es", "--email"), ("dead", "drop", "1:2", "--why")],
)
def test_a_word_that_is_no_text_is_a_sentence_and_no_traceback(words: tuple[str, ...]) -> None:
    done = run(*words, os.fsdecode(b"\xff/%2f"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: word ")
    assert "is no UTF-8 text: ?/%2f" in done.stderr
