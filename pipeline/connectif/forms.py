"""The forms in which Connectif answers, after its reference. All other answers are another server's.

A status says nothing by itself: a proxy, a firewall or a maintenance page gives any of them. Where the
reference leaves a form open, every reading of it is taken, and nothing that no reading allows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

#: Members of Connectif's elements of which an answer that shows one has at least one.
_CONTACT = ("id", "_email", "_externalId")
_PRODUCT = ("id", "productId", "productDetailUrl", "unitPrice")
_PURCHASE = ("purchaseId",)
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: How a 409 names the purchase that exists.
_EXISTS = re.compile(r"\s*purchase\s+(.+?)\s+already exists\.?\s*", re.IGNORECASE | re.DOTALL)
_EXISTS_MAX = _ID_MAX = 1_000
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
        own: the member that holds the id asked for, and which must be it where the object has one.
        asked: that id; empty: any.
        look: whether what was made must be read after an object without `own`.
    """

    members: tuple[str, ...] = ()
    nothing: bool = False
    bare: bool = False
    own: str = ""
    asked: str = ""
    look: bool = False

    def of(self, asked: str) -> Form:
        """The same, of the element with this id."""
        # By name, not by `replace`: each call has one.
        return Form(self.members, self.nothing, self.bare, self.own, asked, self.look)

    def names_another(self, body: Mapping[str, Any]) -> bool:
        """Whether an object is of another element than the one asked for."""
        if not self.asked or self.own not in body:
            return False
        named = str(body[self.own])
        return named != self.asked and _alike(named) != _alike(self.asked)

    def asks_for_a_look(self, body: Any) -> bool:
        """Whether a good answer does not say of which element it is, though it should."""
        return self.look and bool(self.asked) and self.own not in body

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
        if self.names_another(body):
            return False
        return not self.members or any(_has(body, name) for name in self.members)


#: Any JSON object, or 204.
ANY = Form(nothing=True, bare=True)
#: PATCH of a contact or product: what such a call answers is not documented, and may be very little.
CONTACT_WRITTEN = Form(_CONTACT, nothing=True, bare=True)
PRODUCT_WRITTEN = Form(_PRODUCT, nothing=True, bare=True, own="productId")
CONTACT_FOUND = Form(_CONTACT)
PRODUCT_FOUND = Form(_PRODUCT, own="productId")
#: POST names what it made.
CREATED = Form(("id",))
PURCHASE_CREATED = Form(("id", *_PURCHASE), own="purchaseId", look=True)
PURCHASE_FOUND = Form(_PURCHASE, own="purchaseId")
FOUND = Form(("id",), own="id")
LISTED = Form(("results",))
#: The reference names 204 alone; what shows the purchase that was deleted says so, too.
PURCHASE_DELETED = Form(_PURCHASE, nothing=True, own="purchaseId")
DELETED = Form(("id",), nothing=True, bare=True)


def is_error(status: int, body: Any) -> bool:
    """Whether the JSON of a refusal is Connectif's HttpError: it repeats its status, and says something."""
    if not isinstance(body, Mapping) or type(body.get("status")) is not int or body["status"] != status:
        return False
    failures = body.get("validationErrors")
    return says_something(body) or (isinstance(failures, list) and bool(failures))


def speaks_of_another(form: Form, error: Mapping[str, Any]) -> bool:
    """Whether a 409 names another purchase than the one that was sent."""
    detail = error.get("detail")
    named = _EXISTS.fullmatch(detail[:_EXISTS_MAX]) if isinstance(detail, str) else None
    return bool(form.asked) and named is not None and form.names_another({form.own: named[1]})


def says_something(body: Any) -> bool:
    """Whether JSON has the fields of an HttpError, if not all of them."""
    return isinstance(body, Mapping) and any(
        isinstance(body.get(name), str) and body[name] for name in _WORDS
    )


def _alike(value: str) -> str:
    """An id as it is compared: how it is written is not documented to survive."""
    return unicodedata.normalize("NFKC", value[:_ID_MAX]).strip().casefold()


def _has(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if name == "results":
        return isinstance(value, list)
    if isinstance(value, str):
        # An id is put into paths, and stands on receipts.
        return bool(value) if name != "id" else _ID.fullmatch(value) is not None
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
