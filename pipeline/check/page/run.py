"""`pipeline check page`: gets the page and Connectif's script, reads both, and shows what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from yarl import URL

from pipeline.check.page import fetch, report, script
from pipeline.check.page.bounded import inspect_bounded
from pipeline.check.page.expected import KNOWN, Expected
from pipeline.check.page.fetch import Fetched, Unreadable
from pipeline.check.page.hosts import Refused, is_loopback
from pipeline.check.page.inspect import Asked
from pipeline.check.page.kinds import Kind
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import SettingsError

#: Where client scripts are served, how large one may be, and how long it may take.
CLIENT_SCRIPTS = "https://cdn.connectif.cloud"
_SCRIPT_MAX = 8 << 20
_SCRIPT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        where: address or file.
        kind: of the page; None: recognised.
        url: address that a saved page came from.
        store: of the settings, to compare with.
        known: `name=value`, ids of what the page shows.
        client_id: that the page must have.
        script: read the client script: None, where the page is fetched.
        script_file: a saved client script.
        private: private networks may be asked.
    """

    where: str
    kind: Kind | None = None
    url: str = ""
    store: str = ""
    known: tuple[str, ...] = ()
    client_id: str = ""
    script: bool | None = None
    script_file: Path | None = None
    private: bool = False
    notes: list[str] = field(default_factory=list)


def run(options: Options, settings: Settings | None, *, show_personal: bool, as_json: bool) -> int:
    """Check, and print; the exit code: 1 where there are errors in the page.

    Args:
        options: what to check.
        settings: the program's; None where no store is named.
        show_personal: values of persons are printed, too.
        as_json: for scripts.

    Raises:
        Unreadable: there is no page.
        Refused: it must not be fetched.
        SettingsError: there is no such store.
        TooSlow: the page cannot be read within the bounds.
    """
    asked = _asked(options, settings)
    is_url = fetch.is_url(options.where)
    page = (
        fetch.of_url(options.where, private=options.private) if is_url else fetch.of_file(Path(options.where))
    )
    asked = replace(asked, url=options.url or page.url, content_type=page.content_type)
    found = inspect_bounded(page.body, asked)
    # Shops on this machine are being built: Connectif's servers are asked about them where that is said.
    of_others = is_url and not is_loopback(URL(page.url).host or "")
    if (text := _client_script(options, found, fetched=of_others)) is not None:
        found = inspect_bounded(page.body, replace(asked, client_script=text))
    found = {**found, "notes": [*options.notes, *_notes(page, options)]}
    tree = report.shown(found, show_personal=show_personal)
    report.show(tree, Console(), as_json=as_json)
    return 1 if found["counts"]["error"] else 0


def _notes(page: Fetched, options: Options) -> list[str]:
    notes = []
    if page.redirects:
        notes.append(f"the page came after {page.redirects} redirect{'' if page.redirects == 1 else 's'}")
    if not options.store and not options.known:
        notes.append("ids and domains were compared with no settings; --store does")
    return notes


def _asked(options: Options, settings: Settings | None) -> Asked:
    known = dict(_pair(text) for text in options.known)
    if options.url and not options.url.lower().startswith(("https://", "http://")):
        raise SettingsError(
            "--url is an address that begins with https:// or http://", hint="write all of it"
        )
    asked = Asked(kind=options.kind, client_id=options.client_id, expected=Expected(known=known))
    if settings is None:
        return asked
    if options.store not in settings.stores:
        names = ", ".join(sorted(settings.stores)) or "none"
        raise SettingsError(f"no store {options.store[:80]} in the settings", hint=f"they have: {names}")
    store = settings.stores[options.store]
    domains = [settings.accounts[account].authorised_domains for account in store.accounts]
    # An account without a list says nothing of what it takes.
    listed = tuple(dict.fromkeys(domain for one in domains for domain in one)) if all(domains) else ()
    expected = Expected(
        options.store, store.platform, store.purchase_id, store.product_id, store.id_prefix, known
    )
    return replace(asked, domains=listed, fed_by_api=True, expected=expected)


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if name not in KNOWN or not mark or not value:
        raise SettingsError(
            "--known is name=value, such as --known id=5678",
            hint=f"names are {', '.join(KNOWN)}",
        )
    return name, value[:300]


def _client_script(options: Options, found: Mapping[str, Any], *, fetched: bool) -> str | None:
    """What Connectif serves for the page's client id; None where it is not to be read, or not there."""
    if options.script_file is not None:
        return fetch.of_file(options.script_file).body.decode(errors="replace")
    named = found["script"]
    wanted = fetched if options.script is None else options.script
    if (
        not wanted
        or named is None
        or not named["environment"]
        or not script.is_uuid(named["client_id"] or "")
    ):
        return None
    address = f"{CLIENT_SCRIPTS}/{named['environment']}/client-script/{named['client_id']}"
    try:
        return fetch.of_url(address, most=_SCRIPT_MAX, seconds=_SCRIPT_SECONDS).body.decode(errors="replace")
    except (Unreadable, Refused) as error:
        options.notes.append(f"Connectif's client script was not read: {error.message}")
        return None
