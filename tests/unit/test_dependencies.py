"""What pyproject.toml allows is what the code works with: at the floors, and below the ceilings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [
    requirement
    for text in PROJECT["dependencies"]
    + EXTRAS["sandbox"]
    + EXTRAS["status"]
    + EXTRAS["local"]
    + EXTRAS["archive"]
    if (requirement := Requirement(text)).name != PROJECT["name"]
]
#: Packages of which the code uses parts that are not promised: a new version is read before it is allowed.
PRIVATE = {"faust-streaming", "aiokafka", "aiohttp", "uvicorn"}
#: What is run on the lowest versions: parts that lean on many packages, and need no broker.
AT_THE_FLOORS = [
    "test_config.py",
    "test_config_hardening.py",
    "test_connectif_answers.py",
    "test_connectif_client.py",
    "test_connectif_network.py",
    "test_email_addresses.py",
    "test_engine_pins.py",
    "test_engine_store.py",
    "test_gateway_app.py",
    "test_gateway_run.py",
    "test_gateway_spool.py",
    "test_logs.py",
    "test_shopify_orders.py",
]
IMPORT_ALL = """
import importlib, pkgutil, pipeline
for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def floor(requirement: Requirement) -> str:
    """The lowest version that is allowed."""
    (lowest,) = (part.version for part in requirement.specifier if part.operator in {">=", "=="})
    return str(lowest)


@pytest.mark.parametrize("requirement", REQUIRED, ids=lambda requirement: requirement.name)
def test_the_installed_version_is_allowed(requirement: Requirement) -> None:
    assert floor(requirement)
    if requirement.marker is None or requirement.marker.evaluate():
        assert requirement.specifier.contains(version(requirement.name))


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_a_package_whose_private_parts_are_used_has_a_ceiling(name: str) -> None:
    (requirement,) = (one for one in REQUIRED if one.name == name)
    assert {part.operator for part in requirement.specifier} & {"<", "=="}


def test_the_pinned_versions_are_allowed() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): number for name, number in pinned.items()}
    for requirement in REQUIRED:
        assert requirement.specifier.contains(pinned[requirement.name]), requirement.name


@pytest.mark.slow
def test_the_code_works_with_the_lowest_versions_it_allows(tmp_path: Path) -> None:
    floors = tmp_path / "floors.txt"
    floors.write_text("".join(f"{one.name}=={floor(one)}\n" for one in REQUIRED), encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = str(tmp_path / "venv" / "bin" / "python")

    def run(*argv: str) -> None:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environ)
        assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]

    run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    tools = ("pytest", "pytest-asyncio", "pytest-xdist", "hypothesis", "packaging", "jsonschema", "pyyaml")
    run(python, "-m", "pip", "install", "--quiet", "-c", str(floors), f"{ROOT}[local,archive]", *tools)
    run(python, "-c", IMPORT_ALL)
    tests = [str(ROOT / "tests" / "unit" / name) for name in AT_THE_FLOORS]
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
