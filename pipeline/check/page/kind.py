"""Of which kind a page is: told, or recognised by its address and its body element, or by its tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.check.page.dom import Document
from pipeline.check.page.kinds import Kind
from pipeline.check.page.tags import Tags


@dataclass(frozen=True, slots=True)
class Recognised:
    """A kind, and by what it was recognised: `told`, `address`, `body` or `tags`."""

    kind: Kind
    by: str

    @property
    def certain(self) -> bool:
        """Whether it is known without the tags, which can be on the wrong page."""
        return self.by in {"told", "address", "body"}


#: Classes and ids of `<body>` in the themes of shops.
_BODIES = {
    Kind.CONFIRMATION: re.compile(
        r"order-?confirmation|order-?confirmed|order-received|checkout-onepage-success|checkout-success|order-success"
        r"|multishipping-checkout-success|order-placed|page-order-confirmation|pedido-confirmado"
    ),
    Kind.PRODUCT: re.compile(r"single-product|catalog-product-view|template-product|product|page-product"),
    Kind.CART: re.compile(r"checkout-cart-index|(?:[a-z]{1,20}-)?cart"),
}
_PATHS = {
    Kind.CONFIRMATION: re.compile(
        r"/order-?confirm(?:ation|ed)|/confirmacion-pedido|/confirmation-commande|/order-received|/checkout/(?:onepage/)?success"
        r"|/orderplaced|/(?:checkouts?|orders?)/(?:[^?]{1,200}/)?thank|/pedido-confirmado"
        r"|[?&]controller=order-?confirmation",
    ),
    Kind.CART: re.compile(
        r"/(?:cart|basket|carrito|panier|warenkorb|carrello|carrinho|checkout/cart)/?(?:[?#]|$)"
    ),
    Kind.PRODUCT: re.compile(r"/products?/[^/?#]"),
}


def recognise(document: Document, tags: Tags, url: str, told: Kind | None) -> Recognised:
    """The kind of a page."""
    if told is not None:
        return Recognised(told, "told")
    address = _path(url)
    for kind, pattern in _PATHS.items():
        if address and pattern.search(address):
            return Recognised(kind, "address")
    body = next((element for element in document.elements if element.name == "body"), None)
    names = [] if body is None else [name.lower() for name in (*body.classes, body.attributes.get("id", ""))]
    for kind, pattern in _BODIES.items():
        if any(pattern.fullmatch(re.sub("^[a-z]{1,20}-order-", "order-", name)) for name in names):
            return Recognised(kind, "body")
    if tags.counts["cn_purchase"]:
        return Recognised(Kind.CONFIRMATION, "tags")
    if tags.counts["cn_product_visited"]:
        return Recognised(Kind.PRODUCT, "tags")
    return Recognised(Kind.OTHER, "nothing")


def _path(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}".lower()[:2_000]
