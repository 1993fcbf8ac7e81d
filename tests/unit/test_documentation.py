"""The reference is as the code has it, and the site is built without a warning and without anybody else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from documentation import commands, pages, routes, settings
from pipeline import example
from tests.commands import complaint, pipeline_commands

ROOT = Path(__file__).parents[2]
#: What the browser would fetch by itself.
_FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)|<link\b[^>]*>", re.IGNORECASE)
_HREF = re.compile(r"href=\"([^\"]+)")


def test_the_reference_is_as_the_code_has_it() -> None:
    assert pages.drifted() == [], "run `python -m documentation`"


def test_every_command_and_setting_is_on_its_page() -> None:
    text = commands.text()
    for words in (["up"], ["worker", "translate"], ["dead", "list"], ["erase", "serve"], ["erase"]):
        assert f"## `pipeline {' '.join(words)}`\n" in text
    named = set(re.findall(r"^#?(\w+) = ", example.text(), re.MULTILINE))
    assert named <= set(re.findall(r"^\| `(\w+)` \|", settings.text(), re.MULTILINE))


def test_every_path_that_a_worker_answers_is_on_the_page() -> None:
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py")]
    registered = sum(len(re.findall(r"engine\.(?:pages|actions)\[\w+\] =", text)) for text in code)
    # Deliver's three are registered at once, and the compaction is the engine's own.
    assert len(
        re.findall(r"^\| (?:GET|POST) \| [\w ]+ \| `/(?:state|sync|explain)", routes.text(), re.MULTILINE)
    ) == (registered + 3 + 1)


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_every_command_that_a_page_says_to_type_is_there(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    # A page speaks of a command by its beginning, too: `pipeline erase`, `pipeline sync STORE`.
    for words in pipeline_commands(
        "\n".join(re.findall(r"^```sh\n.*?^```$", page, re.MULTILINE | re.DOTALL))
    ):
        if words != ["--version"] and not any(word.isupper() or word == "..." for word in words):
            assert complaint(words) == "", words


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed: make setup")
@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    made = sorted(tmp_path.rglob("*.html"))
    assert len(made) > 130
    for path in made:
        text = path.read_text(encoding="utf-8")
        for found in _FETCHED.finditer(text):
            href = _HREF.search(found[0])
            link = found[1] or (href[1] if href else "")
            is_page = 'rel="canonical"' in found[0] or 'rel="next"' in found[0] or 'rel="prev"' in found[0]
            assert is_page or "://" not in link, (path, link)
        assert 'class="mermaid"' not in text, "the theme would fetch what draws it"


def test_the_tutorial_is_in_the_navigation_of_four_parts() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text)["nav"]
    assert [next(iter(one)) for one in nav][1:] == ["Tutorial", "How to", "Reference", "Explanation"]
