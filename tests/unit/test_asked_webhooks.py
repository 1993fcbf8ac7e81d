"""What the set-up asks of a shop is what the adapters can do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.events import Kind
from pipeline.shops.asked import Asked
from pipeline.shops.registry import ADAPTERS
from pipeline.shops.shopify import adapter as shopify
from pipeline.shops.shopify import topics as shopify_topics
from pipeline.shops.woocommerce import topics as woocommerce_topics

ROOT = Path(__file__).parent.parent.parent
#: Lists by platform, in the order of the README's columns.
ASKED: dict[str, Sequence[Asked]] = {
    "shopify": shopify_topics.ASKED,
    "woocommerce": woocommerce_topics.ASKED,
}
EACH = [(platform, asked) for platform in ASKED for asked in ASKED[platform]]


def rows(start: str) -> list[str]:
    """Cells of the table rows of the README's third step that begin so; the first is the row's name."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    step = re.search(r"^3\. \*\*Webhooks.*?(?=^4\. )", text, re.DOTALL | re.MULTILINE)
    assert step is not None
    [row] = [line for line in step.group().splitlines() if line.strip().startswith(f"| {start}")]
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def names(cell: str) -> list[str]:
    return [name.strip() for name in re.split("[,;]", cell)]


def test_every_platform_has_its_list() -> None:
    assert ASKED.keys() == ADAPTERS.keys()


@pytest.mark.parametrize("platform", ASKED)
def test_the_readme_asks_for_each_webhook_that_is_always_needed_and_no_other(platform: str) -> None:
    cell = rows("topics")[1 + list(ASKED).index(platform)]
    assert names(cell) == [asked.menu for asked in ASKED[platform] if not asked.setting]


@pytest.mark.parametrize("platform", ASKED)
def test_the_readme_names_a_setting_beside_the_webhooks_it_needs(platform: str) -> None:
    for setting in {asked.setting for asked in ASKED[platform]} - {""}:
        cell = rows(f"and with `{setting}")[1 + list(ASKED).index(platform)]
        assert names(cell) == [asked.menu for asked in ASKED[platform] if asked.setting == setting]


@pytest.mark.parametrize(("platform", "asked"), [(p, a) for p, a in EACH if a.setting])
@pytest.mark.parametrize("file", ["pipeline.example.toml", "docs/decisions.md"])
def test_a_setting_is_explained_with_the_webhook_it_needs(file: str, platform: str, asked: Asked) -> None:
    # The example explains a setting in the comment before it, the page in its row.
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    places = [place for place, line in enumerate(lines) if asked.setting in line]
    about = [" ".join(lines[max(0, place - 2) : place + 1]).replace(" # ", " ") for place in places]
    assert any(asked.menu in text for text in about), f"{platform}: {asked.menu}"


@pytest.mark.parametrize("platform", ASKED)
def test_no_webhook_is_asked_for_twice(platform: str) -> None:
    topics = [asked.topic for asked in ASKED[platform]]
    assert len(set(topics)) == len(topics)


def test_shopify_is_asked_for_every_topic_that_is_read_and_says_something_of_its_own() -> None:
    asked = {asked.topic for asked in shopify_topics.ASKED}
    elsewhere = shopify_topics.SAID_ELSEWHERE
    assert shopify._READERS.keys() == asked | elsewhere.keys()
    assert set(elsewhere.values()) <= asked


def test_woocommerce_is_asked_for_every_action_on_what_is_told() -> None:
    asked = {asked.topic for asked in woocommerce_topics.ASKED}
    actions = {kind: {"created", "updated", "deleted", "restored"} for kind in Kind}
    actions[Kind.CUSTOMER].remove("restored")  # users have no trash
    assert asked == {f"{kind}.{action}" for kind, of_kind in actions.items() for action in of_kind}
