"""What MkDocs is told beyond mkdocs.yml: pages that lie outside of `docs/`, and links that leave it.

The pages are written to be read in the repository, too, where their links lead to files. Here a link to
another page leads to that page, and one to a file that is no page keeps its text alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
#: Pages of the site that lie elsewhere in the repository.
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security-policy.md": "SECURITY.md",
    "measurements.md": "benchmarks/RESULTS.md",
}
_PAGES = {ROOT / source: name for name, source in ELSEWHERE.items()}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the pages of a folder where the navigation has `folder/*.md`."""
    config.nav = list(_expanded(config.nav))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for name, source in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let each link lead to a page of the site, or be text."""
    name = page.file.src_uri
    source = ROOT / ELSEWHERE[name] if name in ELSEWHERE else DOCS / name
    return "".join(_relinked(markdown, source, name))


def _expanded(nav: Any) -> Iterator[Any]:
    for item in nav:
        if isinstance(item, dict):
            yield {
                title: below if isinstance(below, str) else list(_expanded(below))
                for title, below in item.items()
            }
        elif item.endswith("/*.md"):
            found = sorted(DOCS.glob(item))
            yield from (path.relative_to(DOCS).as_posix() for path in found if path.name != "README.md")
        else:
            yield item


def _relinked(markdown: str, source: Path, name: str) -> Iterator[str]:
    """The text; what stands in blocks of code is left alone."""
    for number, part in enumerate(re.split(r"(^ *```.*?^ *```)", markdown, flags=re.MULTILINE | re.DOTALL)):
        if number % 2:
            yield part
        else:
            yield _LINK.sub(lambda found: _link(found, source, name), part)


def _link(found: re.Match[str], source: Path, name: str) -> str:
    mark, said, link = found.groups()
    # A picture may stand within a link's text.
    said = _LINK.sub(lambda inner: _link(inner, source, name), said)
    place, hash_mark, anchor = link.partition("#")
    if not place or "://" in link or link.startswith("mailto:"):
        return f"{mark}[{said}]({link})"
    target = Path(os.path.normpath(source.parent / place))
    page = _PAGES.get(target) or (
        target.relative_to(DOCS).as_posix() if target.is_relative_to(DOCS) and target.is_file() else None
    )
    if page is None:
        return said
    return f"{mark}[{said}]({os.path.relpath(page, Path(name).parent)}{hash_mark}{anchor})"
