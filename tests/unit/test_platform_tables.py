"""What the set-up asks of a shop is what the platforms can do, and the texts say so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import example, platform_tables
from pipeline.cli import app
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.woocommerce import WOOCOMMERCE

ROOT = Path(__file__).parents[2]


def test_the_tables_are_as_the_platforms_declare() -> None:
    assert platform_tables.drifted(ROOT) == [], "run: pipeline platforms --write"


@pytest.mark.parametrize("table", platform_tables.TABLES)
def test_every_table_stands_somewhere(table: str) -> None:
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in platform_tables.FILES]
    assert any(f"<!-- made by pipeline platforms: {table} -->" in text for text in texts)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_readme_asks_for_each_webhook(platform: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    step = re.search(r"^3\. \*\*Webhooks.*?(?=^4\. )", text, re.DOTALL | re.MULTILINE)
    assert step is not None
    [row] = [line for line in step.group().splitlines() if f"`{platform}` |" in line]
    always, _, needed = row.partition("; for `")
    for topic in PLATFORMS[platform].topics.asked_for():
        assert topic.menu in (needed if topic.setting else always)


def test_the_example_explains_a_setting_with_the_webhooks_it_needs() -> None:
    lines = example.text().splitlines()
    for platform in PLATFORMS.values():
        for topic in platform.topics.asked_for():
            if topic.setting:
                place = lines.index(f'#{topic.setting} = "keep"')
                assert topic.menu in " ".join(lines[place - 4 : place]).replace(" # ", " ")


def test_shopify_is_asked_for_every_topic_that_is_read_and_says_something_of_its_own() -> None:
    asked = {row.name for row in SHOPIFY.topics.asked_for()}
    elsewhere = {row.name: row.said_by for row in SHOPIFY.topics.rows if row.said_by}
    read = {row.name for row in SHOPIFY.topics.rows if not row.reason}
    assert read == asked | elsewhere.keys()
    assert set(elsewhere.values()) <= asked


def test_woocommerce_is_asked_for_every_action_on_what_is_read() -> None:
    asked = {row.name for row in WOOCOMMERCE.topics.asked_for()}
    actions = {kind: {"created", "updated", "deleted", "restored"} for kind in Kind}
    actions[Kind.CUSTOMER].remove("restored")  # users have no trash
    assert asked == {f"{kind}.{action}" for kind, of_kind in actions.items() for action in of_kind}


def test_the_longest_beginning_decides_on_a_topic_without_a_row() -> None:
    topics = WOOCOMMERCE.topics
    known, odd, strange = topics.get("order.deleted"), topics.get("order.archived"), topics.get("stock.low")
    assert known is not None
    assert known.meaning is TopicMeaning.DELETION
    assert odd is not None
    assert odd.name == "order.*"
    assert strange is None
    assert not topics.is_deletion("action.order.deleted")


def test_only_what_is_between_the_marks_changes(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    begin, end = "  <!-- made by pipeline platforms: abilities -->\n", "  <!-- end -->\n"
    (tmp_path / "README.md").write_text(f"before  \n{begin}old\n\n{end}\nafter\n")
    (tmp_path / "docs" / "platforms.md").write_text("none\n")
    assert [path.name for path in platform_tables.write(tmp_path)] == ["README.md"]
    text = (tmp_path / "README.md").read_text()
    assert text.startswith(f"before  \n{begin}\n  | platform |")
    assert text.endswith(f"\n\n{end}\nafter\n")
    assert platform_tables.write(tmp_path) == []


def test_a_table_that_there_is_not_is_named() -> None:
    with pytest.raises(PipelineError, match="there is no table prices"):
        platform_tables.filled("<!-- made by pipeline platforms: prices -->\n<!-- end -->\n")


def test_the_command_prints_writes_and_compares_them(tmp_path: Path) -> None:
    run, here = CliRunner().invoke, ["--directory", str(tmp_path)]
    assert all(platform.title in run(app, ["platforms"]).output for platform in PLATFORMS.values())
    (tmp_path / "docs").mkdir()
    for path in platform_tables.FILES:
        (tmp_path / path).write_text("<!-- made by pipeline platforms: topics -->\n<!-- end -->\n")
    assert run(app, ["platforms", "--check", *here]).exit_code == 1
    assert run(app, ["platforms", "--write", *here]).exit_code == 0
    assert run(app, ["platforms", "--check", *here]).exit_code == 0
    (tmp_path / "README.md").unlink()
    assert isinstance(run(app, ["platforms", "--check", *here]).exception, PipelineError)
