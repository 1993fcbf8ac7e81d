"""What the pages name is there: a page that points to a file or function that is gone misleads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
_PATH = re.compile(r"`((?:pipeline|tests|docs|grafana|benchmarks|deploy|schemas)/[\w./*-]*)`")
_STEP = re.compile(r"`(pipeline/[\w/]+\.py)` `([\w.]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text(encoding="utf-8")))
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def test_the_functions_on_the_way_of_a_record_are_where_the_page_says() -> None:
    steps = _STEP.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert len(steps) >= 15
    assert [step for step in steps if step[1] not in set(_names(ROOT / step[0]))] == []


def _names(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}"


def test_each_decision_has_its_number_and_says_whether_it_holds() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    numbers = [int(name[:4]) for name in texts]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    for name, text in texts.items():
        assert text.startswith(f"# {int(name[:4])}. "), name
        assert "\nStatus: " in text, name
