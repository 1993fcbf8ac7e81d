"""The forms in which Connectif answers, after its reference. What has none of them is somebody else's answer.

A status says nothing by itself: a proxy, a firewall or a page for maintenance gives any of them. Where the
reference leaves a form open, every reading of it is taken, and nothing that no reading allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx

#: Members of Connectif's elements of which an answer that shows one has at least one.
_CONTACT = ("id", "_email", "_externalId")
_PRODUCT = ("id", "productId", "productDetailUrl", "unitPrice")
_PURCHASE = ("id", "purchaseId")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: Texts of an HttpError.
_WORDS = ("title", "detail")


@dataclass(frozen=True, slots=True)
class Form:
    """What a good answer to a call is: a JSON object, or for `nothing` a 204 without a body.

    Attributes:
        members: of which the object has one at least, with a text, a number or for `results` a list; empty:
            any object is good.
        nothing: whether 204 without a body is an answer to the call.
        bare: whether an object without members is.
        purchase: the id that `purchaseId`, where the object has one, must be.
    """

    members: tuple[str, ...] = ()
    nothing: bool = False
    bare: bool = False
    purchase: str = ""

    def of(self, purchase: str) -> Form:
        """The same, of the purchase with this id."""
        return replace(self, purchase=purchase)

    def fits(self, status: int, content: bytes, body: Any) -> bool:
        """Whether a 2xx answer has this form.

        Args:
            status: of the answer.
            content: its body.
            body: the body's JSON; None where it is none.
        """
        if status == httpx.codes.NO_CONTENT:
            return self.nothing and not content
        if self is LISTED and isinstance(body, list):
            return True
        if not isinstance(body, Mapping):
            return False
        if not body:
            return self.bare
        if (
            self.purchase
            and str(body.get("purchaseId") or self.purchase).casefold() != self.purchase.casefold()
        ):
            return False
        return not self.members or any(_has(body, name) for name in self.members)


#: Any JSON object, or 204.
ANY = Form(nothing=True, bare=True)
#: PATCH of a contact or product: what such a call answers is not documented, and may be very little.
CONTACT_WRITTEN = Form(_CONTACT, nothing=True, bare=True)
PRODUCT_WRITTEN = Form(_PRODUCT, nothing=True, bare=True)
CONTACT_FOUND = Form(_CONTACT)
PRODUCT_FOUND = Form(_PRODUCT)
#: POST names what it made.
CREATED = Form(("id",))
PURCHASE_FOUND = Form(_PURCHASE)
FOUND = Form(("id",))
LISTED = Form(("results",))
DELETED = Form(("id",), nothing=True, bare=True)


def is_error(status: int, body: Any) -> bool:
    """Whether the JSON of a refusal is Connectif's HttpError: it repeats its status, and says something."""
    if not isinstance(body, Mapping) or type(body.get("status")) is not int or body["status"] != status:
        return False
    failures = body.get("validationErrors")
    return says_something(body) or (isinstance(failures, list) and bool(failures))


def says_something(body: Any) -> bool:
    """Whether JSON has the words of an HttpError, if not all of it."""
    return isinstance(body, Mapping) and any(
        isinstance(body.get(name), str) and body[name] for name in _WORDS
    )


def _is_named(body: Mapping[str, Any], purchase: str) -> bool:
    return str(body.get("purchaseId") or purchase).casefold() == purchase.casefold()


def _has(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if name == "results":
        return isinstance(value, list)
    if isinstance(value, str):
        # An id is put into paths, and stands on receipts.
        return bool(value) if name != "id" else _ID.fullmatch(value) is not None
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
