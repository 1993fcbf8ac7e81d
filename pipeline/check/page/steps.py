"""What only a browser can prove: what to do there, and what to look for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.check.page.kinds import Kind
from pipeline.check.page.rules.pages import Page


@dataclass(frozen=True, slots=True)
class Step:
    """One of them."""

    do: str
    look_for: str


def steps(page: Page) -> list[Step]:
    """For this page, the most telling one first."""
    return [
        *_presence(page),
        *_sent(page),
        *_by_script(page),
        *_of_kind(page),
        *_always(page),
    ]


def _presence(page: Page) -> Iterator[Step]:
    if page.scripts.connectif is None and page.scripts.managers:
        yield Step(
            "Open the page and enter window.connectif in the console",
            "an object; undefined means that nothing brings the script",
        )
    elif page.scripts.connectif is not None and page.scripts.connectif.waits:
        yield Step(
            "Open the page in a private window, once accepting and once refusing the consent",
            "window.connectif exists after accepting, and the request below is made",
        )
    tags = page.tags.counts
    if page.is_(Kind.CONFIRMATION) and not tags["cn_purchase"]:
        yield Step(
            "After an order enter document.querySelectorAll('.cn_purchase').length in the console",
            "1 or more: then JavaScript adds the tag, and must send it itself: "
            "connectif.managed.getAllEventsAsync().then(connectif.managed.sendEvents)",
        )
    elif page.is_(Kind.PRODUCT) and not tags["cn_product_visited"]:
        yield Step(
            "Enter document.querySelectorAll('.cn_product_visited').length in the console",
            "1 or more: JavaScript adds the tag; visits may be recorded, but no catalogue is read from it",
        )


def _sent(page: Page) -> Iterator[Step]:
    script = page.scripts.connectif
    environment = script.environment if script is not None and script.environment else "eu1"
    host = (
        f"{environment}-api.connectif.cloud" if script and script.environment else "<env>-api.connectif.cloud"
    )
    wanted = "events and entityInfo" if page.is_(Kind.CONFIRMATION) else "events, cart and entityInfo"
    yield Step(
        f"Open the page with the network panel, filter scrippet-notification (POST to {host})",
        f"one request with {wanted} as this report says under what is sent; the answer has a trackerId",
    )


def _by_script(page: Page) -> Iterator[Step]:
    if page.scripts.events:
        names = ", ".join(page.scripts.events)
        missing = ", ".join(page.scripts.unseen_fields)
        more = f"; {missing} not seen in its script, look for them" if missing else ""
        yield Step(
            f"Do what makes the page's scripts send: {names}",
            f"that event in the request, with its values{more}",
        )
    elif page.scripts.sends:
        yield Step("Do what makes the page's scripts call sendEvents", "which events the request has")


def _of_kind(page: Page) -> Iterator[Step]:
    if page.is_(Kind.CONFIRMATION):
        yield Step(
            "Place one order with each payment method, and let each gateway lead back by itself",
            "each ends on this page; a gateway without an automatic return loses the purchase",
        )
        yield Step(
            "Reload the page", "the shop shows it without the tag: the client sends a purchase at each view"
        )
    if page.is_(Kind.PRODUCT) or page.is_(Kind.CART):
        yield Step(
            "Add a product to the cart and take it out again, without and with a page change",
            "cn_cart follows; emptied it has zero totals and no lines; where the page is not loaded anew, "
            "a script must send it",
        )


def _always(page: Page) -> Iterator[Step]:
    if not page.tags.counts["cn_newsletter_subscribe"]:
        yield Step("Subscribe to the newsletter", "cn_newsletter_subscribe, or that event, once")
    if not page.tags.counts["cn_login"]:
        yield Step("Log in, and register", "cn_login and cn_register on the one page after it, on no other")
