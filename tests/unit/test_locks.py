"""What the image installs (deploy/locks): the versions of constraints.txt, all of them, with digests."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock import BUILD, EXTRAS, LOCKS, PLAIN, ROOT

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", re.MULTILINE)
PROJECT = "shop-connectif-pipeline"


def pins(path: Path) -> dict[str, str]:
    """The versions of a file, by the packages' names."""
    found = _PIN.finditer(path.read_text(encoding="utf-8"))
    return {canonicalize_name(one["name"]): one["version"] for one in found}


def needed(extra: str = "") -> set[str]:
    """The packages of an install of this project on this machine, with an extra."""
    found: set[str] = set()
    todo = [(PROJECT, frozenset({extra}))]
    while todo:
        name, extras = todo.pop()
        for text in requires(name) or ():
            one = Requirement(text)
            if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                continue
            other = str(canonicalize_name(one.name))
            if other not in found:
                found.add(other)
                todo.append((other, frozenset(one.extras)))
    return found - {PROJECT}


@pytest.mark.parametrize("name", [BUILD, PLAIN, *EXTRAS])
def test_a_lock_has_the_pinned_versions_each_with_digests(name: str) -> None:
    constraints = pins(ROOT / "constraints.txt")
    path = LOCKS / f"{name}.txt"
    # What other systems alone need is in no environment of ours, and so in no constraint.
    elsewhere = {"colorama"}
    for package, version in pins(path).items():
        assert package in elsewhere or constraints[package] == version, "run `python -m deploy.lock`"
    for entry in re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_a_plain_install_is_all_there() -> None:
    assert needed() <= set(pins(LOCKS / "plain.txt")), "run `python -m deploy.lock`"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_all_there_and_nothing_is_there_twice(extra: str) -> None:
    plain, beside = set(pins(LOCKS / "plain.txt")), set(pins(LOCKS / f"{extra}.txt"))
    assert needed(extra) <= plain | beside, "run `python -m deploy.lock`"
    assert not plain & beside
