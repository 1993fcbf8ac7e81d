"""The page as a whole: the script, tags that are not there or on the wrong page, its own address."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.check.page import values
from pipeline.check.page.configuration import Configuration, Matches
from pipeline.check.page.dom import Document
from pipeline.check.page.findings import Findings, quoted
from pipeline.check.page.kind import Recognised
from pipeline.check.page.kinds import Kind
from pipeline.check.page.properties import TAGS, bare
from pipeline.check.page.rules import common
from pipeline.check.page.script import Scripts, is_uuid
from pipeline.check.page.tags import Tags

_SCRIPT = "add the script as Connectif shows it: Store settings > Channels > Web"
_WORDS_MAX, _WORD_MAX = 10, 25


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read, and what is known of it besides.

    Attributes:
        url: its address; empty where it is not known.
        domains: on which Connectif records, as the store's settings have them.
        client_id: that the page must have; empty where it is not known.
        fed_by_api: the catalogue does not come of product pages.
        configuration: the store's settings in Connectif's client script.
    """

    document: Document
    tags: Tags
    scripts: Scripts
    kind: Recognised
    url: str = ""
    domains: tuple[str, ...] = ()
    client_id: str = ""
    fed_by_api: bool = False
    configuration: Configuration | None = None
    hidden: dict[str, list[str]] = field(default_factory=dict)

    def is_(self, kind: Kind) -> bool:
        """Whether it is of a kind."""
        return self.kind.kind is kind


def script(page: Page, findings: Findings) -> None:
    """Connectif's JavaScript."""
    found = page.scripts.connectif
    if found is None:
        _absent(page, findings)
        return
    ids = ", ".join(quoted(client_id) for client_id in found.client_ids[:5])
    if len(found.client_ids) > 1:
        said = f"there are {len(found.client_ids)} client ids: {ids}"
        findings.error(
            "script", "two_client_ids", said, "another store gets the data", "keep this shop's alone"
        )
    elif not found.client_ids:
        said = "the page does not say the client id in a way that can be read"
        findings.warning(
            "script", "no_client_id", said, "it may be of no store", "look which address is loaded"
        )
    elif not is_uuid(found.client_ids[0]):
        said = f"the client id {ids} has not the form of Connectif's"
        findings.warning("script", "odd_client_id", said, "the script may not be there", _SCRIPT)
    if page.client_id and found.client_ids and page.client_id.lower() not in found.client_ids:
        said = f"the client id is {ids}, not {quoted(page.client_id)}"
        findings.error("script", "wrong_client_id", said, "another store gets the data", _SCRIPT)
    if found.waits:
        said = "the script is written so that a browser does not run it by itself, as consent tools do"
        findings.warning("script", "waits", said, "nothing is sent before a consent, or at all")
    if found.count > 1 and len(found.client_ids) < 2:  # noqa: PLR2004 - two are an error above
        said = f"{found.count} elements of the page bring the script"
        findings.note("script", "several", said, hint="keep one, or what is sent may be doubled")


def _absent(page: Page, findings: Findings) -> None:
    said = "Connectif's JavaScript is not in the page"
    if page.scripts.managers:
        names = " and ".join(page.scripts.managers)
        effect = "if that does not bring it, nothing is sent"
        hint = "look in a browser whether window.connectif exists"
        findings.warning("script", "maybe_elsewhere", f"{said}; {names} may bring it", effect, hint)
        return
    places = sorted(
        {hidden.where for hidden in page.document.hidden if _names_script(hidden.where, hidden.text)}
    )
    if places:
        said += f": it is in a {' and a '.join(places)}, where no browser runs it"
    findings.error("script", "absent", said, "nothing is sent; nobody reads the tags", _SCRIPT)


def _names_script(where: str, text: str) -> bool:
    return where != "script" and "cdn.connectif.cloud/" in text


def configured(page: Page, findings: Findings, matches: Matches) -> None:
    """What the store's settings in the client script say of this page."""
    said = page.configuration
    if said is None:
        return
    if said.tracking is False:
        what = "webTrackingEnabled is false"
        findings.error("script.webTrackingEnabled", "off", what, "nothing is sent, whatever the tags say")
    by_hand = page.scripts.starts_by_hand or page.scripts.sends
    for name, value in (("autoInitialize", said.starts_itself), ("autoSendEventsOnInit", said.sends_tags)):
        if value is False:
            what = f"{name} is false: the tags are not sent by themselves"
            say = findings.note if by_hand else findings.error
            effect = "right where scripts send all events" if by_hand else "nothing is sent of this page"
            say(f"script.{name}", "off", what, effect, "Store settings > Channels > Web")
    if said.sampling is not None and said.sampling < 100:  # noqa: PLR2004 - percent
        what = f"samplingTrackingPercent is {said.sampling:g}"
        findings.warning(
            "script.samplingTrackingPercent", "sampled", what, "of the other visitors nothing is sent"
        )
    if page.url:
        _tracked(page, said, findings, matches)


def _tracked(page: Page, said: Configuration, findings: Findings, matches: Matches) -> None:
    is_excluded = [pattern for pattern in said.excluded if matches(pattern, page.url)]
    unknown = [pattern for pattern in (*said.excluded, *said.included) if matches(pattern, page.url) is None]
    if is_excluded:
        what = f"excludeTracking has a pattern that finds this page: {quoted(is_excluded[0])}"
        findings.error("script.excludeTracking", "excluded", what, "nothing is sent of this page")
    elif said.tracks_all is False and not any(matches(pattern, page.url) for pattern in said.included):
        what = "trackAllByDefault is false, and no pattern of includeTracking finds this page"
        findings.error("script.includeTracking", "excluded", what, "nothing is sent of this page")
    if unknown:
        what = f"a pattern could not be tried: {quoted(unknown[0])}"
        findings.note(
            "script.excludeTracking", "unknown", what, hint="look whether it is meant for this page"
        )


def address(page: Page, findings: Findings) -> None:
    """Whether Connectif records on this page's domain."""
    if not page.url:
        return
    allowed = page.configuration.allowed_domains if page.configuration else ()
    for name, domains in (("Connectif's settings", allowed), ("authorised_domains", page.domains)):
        if not values.authorised(page.url, domains):
            said = f"the page is not on a domain of {name}: {', '.join(map(quoted, domains[:5]))}"
            hint = "authorise it: Store settings > Channels > Web > Advanced; then correct authorised_domains"
            findings.error("page.url", "unauthorised", said, "nothing is sent of this page", hint)
            return


def tags_of_kind(page: Page, findings: Findings) -> None:
    """Tags that a page of its kind must have."""
    counts, events = page.tags.counts, page.scripts.events
    if page.is_(Kind.CONFIRMATION) and not counts["cn_purchase"]:
        effect = "the purchase is not recorded, and its cart will count as abandoned"
        _no_tag(page, findings, _Wanted("purchase", "cn_purchase", effect, "purchase" in events))
    if page.is_(Kind.PRODUCT) and not counts["cn_product_visited"]:
        effect = "the visit is not recorded"
        effect += "" if page.fed_by_api else ", and a catalogue that is read from product pages never gets it"
        by_script = "product-visited" in events
        _no_tag(
            page, findings, _Wanted("product", "cn_product_visited", effect, by_script, mild=page.fed_by_api)
        )
    if page.is_(Kind.CART) and not counts["cn_cart"]:
        effect = "the cart is not recorded; emptied, it must be printed with zero totals and no lines"
        _no_tag(page, findings, _Wanted("cart", "cn_cart", effect, page.scripts.sends))


@dataclass(frozen=True, slots=True)
class _Wanted:
    about: str
    name: str
    effect: str
    by_script: bool
    mild: bool = False


def _no_tag(page: Page, findings: Findings, wanted: _Wanted) -> None:
    name = wanted.name
    if wanted.by_script:
        said = (
            f"no element of class {name}, but a script of the page sends it: not checkable without a browser"
        )
        findings.note(wanted.about, "by_javascript", said, hint="see the steps for a browser")
        return
    said = f"no element of class {name}"
    if elsewhere := page.hidden.get(name, []):
        said += f": it is in a {' and a '.join(elsewhere)}, where the client does not look"
    similar = _similar(page.document, name)
    hint = (
        f"{similar} is not read: name the class {name}"
        if similar
        else f"print the tag {name} in the server's HTML"
    )
    is_mild = wanted.mild or (page.scripts.managers and page.scripts.connectif is None)
    say = findings.warning if is_mild else findings.error
    say(wanted.about, "absent", said, wanted.effect, hint)


def _similar(document: Document, name: str) -> str:
    """An element that may have been meant."""
    for element in document.elements:
        if element.attributes.get("id", "") == name:
            return f"an element of id {name}"
        for own in element.classes:
            if own not in TAGS and bare(own) in {bare(name), bare(name) + "s"}:
                return f"an element of class {quoted(own)}"
    return ""


def wrong_places(page: Page, findings: Findings) -> None:
    """Tags that belong on other pages."""
    counts, kind = page.tags.counts, page.kind
    if counts["cn_purchase"] and "purchase" in page.scripts.events:
        said = "the page has a cn_purchase, and a script of it sends a purchase, too"
        findings.note("purchase", "twice", said, "it may be sent twice", "look in a browser")
    if counts["cn_purchase"] and kind.certain and not page.is_(Kind.CONFIRMATION):
        said = f"a purchase on a page that is no confirmation ({kind.kind}, by {kind.by})"
        findings.warning("purchase", "wrong_page", said, "each view of the page sends a purchase")
    if counts["cn_product_visited"] and kind.kind in {Kind.CONFIRMATION, Kind.CART}:
        said = "cn_product_visited on a page that is no product's"
        findings.warning("product", "wrong_page", said, "each view counts as a visit of the product")
    for name in ("cn_login", "cn_register", "cn_newsletter_subscribe"):
        if counts[name] and kind.kind is not Kind.OTHER:
            said = f"{name} on a {kind.kind} page: it belongs on the one page after the event"
            mild = kind.kind is Kind.CONFIRMATION and name != "cn_login"
            say = findings.note if mild else findings.warning
            say(name, "wrong_page", said, "on every page it makes an event each time")
    _bought_cart(page, findings)


def _bought_cart(page: Page, findings: Findings) -> None:
    if not page.is_(Kind.CONFIRMATION) or not page.tags.carts or page.tags.carts[0].lost:
        return
    cart = page.tags.carts[0]
    if not cart.number("total_quantity"):
        return
    bought = {purchase.text("cart_id") for purchase in page.tags.purchases}
    if cart.text("cart_id") in bought or not page.tags.purchases:
        said = "the bought cart is still shown with its items"
        findings.warning(
            "cart", "still_full", said, "it may count as abandoned", "print it emptied after the order"
        )
    else:
        findings.note("cart", "still_full", "a cart with items is shown on the confirmation page")


def searches(page: Page, findings: Findings) -> None:
    """All `cn_search`."""
    for tag in page.tags.searches:
        common.check(tag, findings)


def small_tags(page: Page, findings: Findings) -> None:
    """Categories and tags of the page, and what is counted only."""
    for name, words in page.tags.page_words.items():
        if len(words) > _WORDS_MAX:
            said = f"{page.tags.counts[name]} elements; {_WORDS_MAX} are taken"
            findings.note(name, "too_many", said)
        too_long = [word for word in words if len(word) > _WORD_MAX]
        if too_long:
            said = f"'{quoted(too_long[0])}' is longer than {_WORD_MAX} characters"
            findings.note(name, "too_long", said, "it is cut")
        if any(not word for word in words):
            findings.note(name, "empty", "an element without a text")
    if page.tags.counts["cn_banner_placeholder"]:
        findings.note("cn_banner_placeholder", "deprecated", "is deprecated since 2021")
    for name, count in page.tags.left_out.items():
        said = f"{count} further elements of class {name} were not looked at"
        findings.warning(name, "too_many", said, "the report is not whole")
