"""A page's ids beside those that the pipeline sends by a store's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.check.page import values
from pipeline.check.page.findings import Findings, quoted
from pipeline.check.page.tags import Tags
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.tracking import WebTracking

PURCHASE_NAMES = ("id", "number", "name")
PRODUCT_NAMES = ("product", "variant", "sku")
KNOWN = (*PURCHASE_NAMES, *PRODUCT_NAMES, "email")


@dataclass(frozen=True, slots=True)
class Expected:
    """Of a store's settings, what a page can be compared with.

    Attributes:
        store: its name; empty where no store is named.
        platform: of the shop.
        purchase_id: the setting.
        product_id: the setting.
        prefix: the setting `id_prefix`.
        known: ids of the order or product that the page shows, by KNOWN, as the shop has them.
    """

    store: str = ""
    platform: str = ""
    purchase_id: str = ""
    product_id: str = ""
    prefix: str = ""
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def tracking(self) -> WebTracking:
        """What is known of the platform's pages."""
        return PLATFORMS[self.platform].tracking if self.platform in PLATFORMS else WebTracking()


def compare(tags: Tags, expected: Expected, email: str | None, findings: Findings) -> None:
    """Compare the ids, and the contact's address."""
    _settings(expected, findings)
    lines = expected.tracking.lines
    if lines and any(purchase.lines for purchase in tags.purchases):
        hint = "compare with --known product= and variant="
        findings.note("store.product_id", "lines_differ", lines, hint=hint)
    for purchase in tags.purchases:
        own = purchase.text("purchase_id")
        if own:
            _purchase(f"{purchase.about}.purchase_id", own, expected, findings)
    products = [
        tag
        for tag in (*tags.visited, *(line for purchase in tags.purchases for line in purchase.lines))
        if tag.text("product_id")
    ]
    for tag in products:
        _prefixed(f"{tag.about}.product_id", tag.text("product_id"), expected, findings)
    _product([tag.text("product_id") for tag in products], expected, findings)
    _email(email, expected, findings)


def _settings(expected: Expected, findings: Findings) -> None:
    usual = expected.tracking
    if expected.store and usual.purchase_id and expected.purchase_id != usual.purchase_id:
        said = f"{usual.said}; store {expected.store} has purchase_id = {expected.purchase_id}"
        effect = "with that module each order becomes two purchases"
        findings.warning(
            "store.purchase_id", "module_differs", said, effect, f'set purchase_id = "{usual.purchase_id}"'
        )


def _purchase(about: str, own: str, expected: Expected, findings: Findings) -> None:
    _prefixed(about, own, expected, findings)
    known = {name: expected.known[name] for name in PURCHASE_NAMES if name in expected.known}
    if known:
        _one_of(about, own, known=known, called="purchase_id", expected=expected, findings=findings)
        return
    if not expected.store:
        return
    bare = own.removeprefix(expected.prefix)
    for name, form in expected.tracking.id_forms.items():
        if name != expected.purchase_id and form.fullmatch(bare):
            said = f"{quoted(own)} looks like the order's {name}; store {expected.store} has purchase_id = "
            effect = "each order becomes two purchases"
            findings.warning(about, "form", said + expected.purchase_id, effect, _truth(expected))


def _truth(expected: Expected) -> str:
    return f"compare with one order: --known {expected.purchase_id}=..., as the shop's API has it"


def _prefixed(about: str, own: str, expected: Expected, findings: Findings) -> None:
    if expected.prefix and not own.startswith(expected.prefix):
        said = f"{quoted(own)} does not begin with the id_prefix {expected.prefix} of store {expected.store}"
        findings.error(
            about, "no_prefix", said, "tag and API mean two different things", "print the prefix, too"
        )


def _one_of(
    about: str,
    own: str,
    *,
    known: Mapping[str, str],
    called: str,
    expected: Expected,
    findings: Findings,
) -> None:
    """Equal to what the setting says, to another candidate, or to none."""
    setting = expected.purchase_id if called == "purchase_id" else expected.product_id
    equal = [name for name, text in known.items() if values.trimmed(expected.prefix + text) == own]
    if setting in equal or (equal and not setting):
        findings.note(about, "same_id", f"is the {called} that the pipeline sends ({setting or equal[0]})")
    elif equal:
        said = f"{quoted(own)} is the {equal[0]}; store {expected.store} has {called} = {setting}"
        hint = f'set {called} = "{equal[0]}" in the settings of the store'
        findings.error(about, "other_id", said, "tag and API make two of one", hint)
    elif setting in known or not setting:
        said = (
            f"{quoted(own)} is none of {', '.join(f'{name} {quoted(text)}' for name, text in known.items())}"
        )
        findings.error(
            about, "unknown_id", said, "tag and API make two of one", "see that it is the same order"
        )


def _product(own: list[str], expected: Expected, findings: Findings) -> None:
    known = {name: expected.known[name] for name in PRODUCT_NAMES if name in expected.known}
    if not known or not own:
        return
    wanted = {values.trimmed(expected.prefix + text): name for name, text in known.items()}
    text = next((text for text in own if text in wanted), own[0])
    _one_of("product_id", text, known=known, called="product_id", expected=expected, findings=findings)


def _email(email: str | None, expected: Expected, findings: Findings) -> None:
    wanted = expected.known.get("email")
    if wanted is None:
        return
    if email is None or values.trimmed(wanted).lower() != email.lower():
        said = "is not the address of the order"
        effect = "the purchase goes to another contact"
        findings.error("client_info.primary_key", "other_address", said, effect, text=email, personal=True)
