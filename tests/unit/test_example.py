"""`pipeline.example.toml` is made from the settings: it has each of them, and says what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from pipeline import config, example
from pipeline.cli import app
from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from tests.platforms import IN_TESTS

ROOT = Path(__file__).parents[2]
MADE = example.text()
#: A value for every variable that the file names.
VARIABLES = dict.fromkeys(re.findall(r'env = "(\w+)"', example.text()), "a-secret-of-24-characters") | {
    "CONNECTIF_ACME_ES": "id:secret",
    "PIPELINE_HTTP_TOKEN": "not-a-secret",
}


def test_the_file_is_as_the_settings_have_it() -> None:
    current = (ROOT / example.FILE).read_text(encoding="utf-8")
    assert current == MADE, "run: pipeline settings --write pipeline.example.toml --force"


def of_a_platform(platform: str) -> str:
    """The file for a store of a platform, with what that cannot do without, and nothing of others."""
    lines: list[str] = []
    is_others = False
    for line in MADE.splitlines():
        if line.startswith("# Only with platform = "):
            is_others = f'"{platform}"' not in line
        elif not line or line.startswith("["):
            is_others = False
        if not is_others:
            lines.append(line)
    required = "|".join(IN_TESTS[platform].settings) or "none"
    text = re.sub(rf"^#((?:{required}) = )", r"\1", "\n".join(lines), flags=re.MULTILINE)
    return text.replace('platform = "shopify"', f'platform = "{platform}"')


def switched_on(*, defaults: bool = False, others: bool = False, platform: str = "shopify") -> str:
    """The file with the commented defaults taken as settings, or the other commented lines."""
    lines: list[str] = []
    before = ""
    for line in of_a_platform(platform).splitlines():
        match = re.fullmatch(r"#(\[.*\]|[a-z]\w* = .*)", line)
        is_other = before.endswith(" example:") or (match is not None and in_commented_table(lines, match[1]))
        wanted = match is not None and (others if is_other else defaults)
        wanted = wanted and not has_its_own_default(match, platform)
        lines.append(match[1] if match is not None and wanted else line)
        before = line
    return "\n".join(lines)


def has_its_own_default(match: re.Match[str] | None, platform: str) -> bool:
    """Whether the platform's stores have another default than the line shows, as its comment says."""
    name = match[1].partition(" ")[0] if match is not None else ""
    shown, own = (model.model_fields.get(name) for model in (StoreSettings, PLATFORMS[platform].settings))
    return shown is not None and own is not None and shown.default != own.default


def in_commented_table(lines: list[str], line: str) -> bool:
    """Whether the line is of a table that is an example as a whole."""
    table = next((one for one in reversed(lines) if re.match(r"#?\[", one)), "")
    is_example = table.startswith(("#[", "[[")) or "coupons" in table or "reconcile" in table
    return line.startswith("[") or is_example


@pytest.fixture(name="directory")
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def read(directory: Path, text: str) -> Settings:
    """The settings that a file with this text holds."""
    path = directory / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, environ={})


def test_it_is_a_settings_file(directory: Path) -> None:
    settings = read(directory, MADE)
    assert settings.stores["acme-es"].account == "acme-es"
    assert settings.kafka.bootstrap is None


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_defaults_it_shows_are_the_defaults(directory: Path, platform: str) -> None:
    plain = of_a_platform(platform)
    assert switched_on(defaults=True, platform=platform) != plain
    assert read(directory, switched_on(defaults=True, platform=platform)) == read(directory, plain)


def test_all_other_lines_are_settings_too(directory: Path) -> None:
    # A store has one account or routes to several.
    text = switched_on(others=True).replace('\naccount = "acme-es"\n# Where', "\n# Where")
    # Shopify's API is opened by one of two ways.
    text = re.sub(r'\naccess_token = \{ env = "SHOPIFY[^\n]*', "", text, count=1)
    settings = read(directory, text)
    assert settings.stores["acme-es"].routes[0].language == ("fr",)
    assert settings.accounts["acme-es"].currency == "EUR"
    assert settings.accounts["acme-es"].coupons["spring"].low == 200
    assert settings.kafka.bootstrap is not None


def test_every_setting_is_in_it() -> None:
    shown = set(re.findall(r"^#?(\w+) = ", MADE, re.MULTILINE))
    for model in models(Settings):
        fields = {name for name, field in model.model_fields.items() if example._model_of(field) is None}
        assert fields <= shown


def models(of: type[BaseModel]) -> set[type[BaseModel]]:
    """The models of all tables."""
    below = [example._model_of(field) for field in of.model_fields.values()]
    return {of}.union(*(models(model) for model in below if model is not None))


class Undescribed(BaseModel):
    """A table with a setting that nobody can understand."""

    speed: int = 1


class WithoutExample(BaseModel):
    """A table with a setting that nobody can fill in."""

    speed: int | None = Field(default=None, description="of it")


@pytest.mark.parametrize(
    ("model", "said"),
    [(Undescribed, "a.speed has no description"), (WithoutExample, "a.speed has no example")],
)
def test_a_setting_that_cannot_be_shown_is_named(model: type[BaseModel], said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        list(example._table(model, ("a",)))


def test_the_command_prints_writes_and_compares_it(tmp_path: Path) -> None:
    run, file = CliRunner().invoke, tmp_path / "pipeline.toml"
    assert run(app, ["settings"]).output == MADE
    assert run(app, ["settings", "--check", str(file)]).exit_code == 1
    assert run(app, ["settings", "--write", str(file)]).exit_code == 0
    assert file.read_text() == MADE
    assert run(app, ["settings", "--check", str(file)]).exit_code == 0
