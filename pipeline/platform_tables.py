"""The tables about shop platforms in README.md and docs/, made from what each platform declares.

A file has a table wherever `<!-- made by pipeline platforms: NAME -->` and `<!-- end -->` stand, each on a
line of its own; all else in it is left alone. The same code always makes the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.markdown import table
from pipeline.shops.platform import Ability, AnyPlatform, WebhookTopic
from pipeline.shops.registry import PLATFORMS

#: That have tables, below the repository's root.
FILES = (Path("README.md"), Path("docs/platforms.md"))
_TABLE = re.compile(
    r"^(?P<indent> *)(?P<begin><!-- made by pipeline platforms: (?P<name>\w+) -->)\n"
    r".*?^ *(?P<end><!-- end -->)$",
    re.MULTILINE | re.DOTALL,
)


def set_up() -> Iterator[str]:
    """What a merchant does in the shop."""
    rows = (
        (
            f"{platform.title}, `{platform.name}`",
            platform.webhooks_menu,
            platform.signed_with,
            _asked_for(platform),
        )
        for platform in PLATFORMS.values()
    )
    return table(("platform", "where", "signed with", "webhooks to make"), rows)


def abilities() -> Iterator[str]:
    """What can be done with each platform's shops."""
    rows = []
    for platform in PLATFORMS.values():
        can = ("yes" if ability in platform.abilities else "no" for ability in Ability)
        own = ", ".join(f"`{name}`" for name in sorted(platform.own_settings)) or "none"
        rows.append((platform.title, f"`{platform.name}`", *can, own))
    return table(("platform", "`platform =`", *Ability, "settings that only its stores have"), rows)


def settings() -> Iterator[str]:
    """The settings that not every store has."""
    rows = []
    for platform in PLATFORMS.values():
        for name in sorted(platform.own_settings):
            field = platform.settings.model_fields[name]
            default = "must be set" if field.is_required() else f"`{str(field.default).lower()}`"
            rows.append((f"`{name}`", platform.title, default, field.description or ""))
    return table(("setting", "of", "default", "meaning"), rows)


def topics() -> Iterator[str]:
    """Every webhook topic that is known, and what it means."""
    rows = (
        (platform.title, f"`{row.name}`", row.kind, _said_by(row))
        for platform in PLATFORMS.values()
        for row in platform.topics.rows
    )
    return table(("platform", "topic", "entity", "what it says"), rows)


TABLES: Mapping[str, Callable[[], Iterator[str]]] = {
    "set_up": set_up,
    "abilities": abilities,
    "settings": settings,
    "topics": topics,
}


def needed_webhooks(setting: str) -> str:
    """The webhooks that a setting needs, by platform: `"customer deletion" of ...`; "" for none."""
    return ", ".join(
        f'"{row.menu}" of {platform.title}'
        for platform in PLATFORMS.values()
        for row in platform.topics.asked_for()
        if row.setting == setting
    )


def filled(text: str) -> str:
    """The text with its tables as they must be.

    Raises:
        PipelineError: it asks for a table that there is not.
    """

    def made(found: re.Match[str]) -> str:
        name, indent = found["name"], found["indent"]
        if name not in TABLES:
            raise PipelineError(f"there is no table {name}", hint=f"there are {', '.join(TABLES)}")
        return "\n".join(indent + line for line in (found["begin"], "", *TABLES[name](), "", found["end"]))

    blanks = re.compile(r"^ +$", re.MULTILINE)
    return blanks.sub("", _TABLE.sub(made, text))


def drifted(root: Path) -> list[Path]:
    """The files whose tables are not as they must be."""
    return [path for path in FILES if _read(root / path) != filled(_read(root / path))]


def write(root: Path) -> list[Path]:
    """Write the files whose tables are not as they must be; returns them."""
    stale = drifted(root)
    for path in stale:
        (root / path).write_text(filled(_read(root / path)), encoding="utf-8")
    return stale


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be read: {error.strerror}", hint="name the repository with --directory"
        ) from error


def _asked_for(platform: AnyPlatform) -> str:
    """The webhooks that are always needed, then those that a setting needs."""
    asked: Sequence[WebhookTopic] = platform.topics.asked_for()
    said = ", ".join(row.menu for row in asked if not row.setting)
    for setting in dict.fromkeys(row.setting for row in asked if row.setting):
        said += f"; for `{setting}` also " + ", ".join(row.menu for row in asked if row.setting == setting)
    return said


def _said_by(row: WebhookTopic) -> str:
    if row.reason:
        return f"{row.meaning}: `{row.reason}`"
    return f"{row.meaning}, as `{row.said_by}` does" if row.said_by else str(row.meaning)
