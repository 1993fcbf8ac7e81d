"""docs/shops.md and the pages of the platforms: what they claim is shown by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.shops.registry import PLATFORMS

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "shops.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("|") and not line.startswith("| ---")
]
#: Cells that claim nothing which a test could show.
WITHOUT_TEST = re.compile(r"no|no webhook brings them|no \(the same\)")


def named(cell: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", cell)


def _all_tests() -> set[str]:
    """The names of all tests."""
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for path in files
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


def test_every_platform_has_a_column_and_a_page() -> None:
    assert ROWS[0][1:] == [platform.title for platform in PLATFORMS.values()]
    for name in PLATFORMS:
        assert (ROOT / "docs" / "shops" / f"{name}.md").is_file()
        assert f"(shops/{name}.md)" in TABLE


@pytest.mark.parametrize("row", ROWS[1:], ids=[row[0] for row in ROWS[1:]])
def test_every_cell_is_shown_by_a_test_that_is_there(row: list[str]) -> None:
    assert len(row) == len(ROWS[0])
    known = _all_tests()
    for cell in row[1:]:
        assert named(cell) or WITHOUT_TEST.fullmatch(cell), cell
        assert set(named(cell)) <= known, cell


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_page_says_where_to_click_and_what_cannot_be_done(platform: str) -> None:
    page = (ROOT / "docs" / "shops" / f"{platform}.md").read_text(encoding="utf-8")
    assert f'platform = "{platform}"' in page
    assert "\n## What cannot be done, and why\n" in page
    assert "several" in page.lower()
