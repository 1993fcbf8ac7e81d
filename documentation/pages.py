"""All reference pages that are made from the code, and which of them are not as they must be."""

from __future__ import annotations

from pathlib import Path

from documentation import alerts, commands, messages, routes, settings

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"


def pages() -> dict[str, str]:
    """The content of each page, by its file's name."""
    return {
        "settings.md": settings.text(),
        "commands.md": commands.text(),
        "alerts.md": alerts.text(ROOT),
        "messages.md": messages.text(),
        "http.md": routes.text(),
    }


def drifted() -> list[Path]:
    """The files that are missing, or are not as the code has them."""
    made = pages()
    found = {name: FOLDER / name for name in made}
    return [
        path
        for name, path in found.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != made[name]
    ]
