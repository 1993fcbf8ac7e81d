"""docs/shops.md and the pages of the platforms: what they claim is shown by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.shops.registry import PLATFORMS

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "shops.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The rows of a table, the headings first."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ON_ALL, DIFFERENT = map(rows, TABLE.split("## What differs"))
SUITE = sorted((ROOT / "tests" / "contract").glob("test_platform*.py"))


def named(cell: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", cell)


def _all_tests() -> set[str]:
    """The names of all tests."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for path in files
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


def test_every_platform_has_a_column_and_a_page() -> None:
    assert DIFFERENT[0][1:] == [platform.title for platform in PLATFORMS.values()]
    for name in PLATFORMS:
        assert (ROOT / "docs" / "shops" / f"{name}.md").is_file()
        assert f"(shops/{name}.md)" in TABLE


@pytest.mark.parametrize("row", ON_ALL[1:], ids=[row[0] for row in ON_ALL[1:]])
def test_what_works_on_every_platform_is_shown_by_a_test_that_runs_on_each(row: list[str]) -> None:
    [name] = named(row[1])
    found = [path.read_text("utf-8") for path in SUITE if f"def {name}(" in path.read_text("utf-8")]
    assert len(found) == 1
    decorators = found[0].partition(f"def {name}(")[0].rpartition("\n\n")[2]
    assert "@EACH" in decorators


@pytest.mark.parametrize("row", DIFFERENT[1:], ids=[row[0] for row in DIFFERENT[1:]])
def test_every_cell_that_claims_something_is_shown_by_a_test_that_is_there(row: list[str]) -> None:
    assert len(row) == len(DIFFERENT[0])
    known = _all_tests()
    for cell in row[1:]:
        assert cell == "no" or named(cell), cell
        assert set(named(cell)) <= known, cell


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_page_says_where_to_click_and_what_cannot_be_done(platform: str) -> None:
    page = (ROOT / "docs" / "shops" / f"{platform}.md").read_text(encoding="utf-8")
    assert f'platform = "{platform}"' in page
    assert "\n## What cannot be done, and why\n" in page
