"""Rows of imports: read by the rules of each type, and written over what is there as the options say."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.connectif.model.contacts import MAX_EXTERNAL_ID, WRITABLE, By, custom_kind
from pipeline.sandbox.connectif.model.field_types import (
    CONTACT_INTEGER,
    DATE,
    NUMBER,
    PHONE,
    TEXT,
    Kind,
    is_email,
    is_url,
)
from pipeline.sandbox.connectif.model.products import PRODUCT

if TYPE_CHECKING:
    from pipeline.sandbox.connectif.http.account import Account
    from pipeline.sandbox.connectif.jobs.imports import Options


class Outcome(enum.Enum):
    """What became of a good row."""

    WRITTEN = "written"
    SKIPPED = "skipped"


class UnusableFileError(Exception):
    """The file as a whole cannot be imported."""


class BadRowError(Exception):
    """A row is refused; the text says why."""


Row = Mapping[str, str]
#: Cells and the time -> what became of the row; BadRowError: it is refused.
Writer = Callable[[Sequence[str], float], Outcome]

_PRODUCT_KEYS = ("productId", "name", "productDetailUrl", "unitPrice")
_TYPED = frozenset({"phone", "date", "integer", "decimal", "radio"})
_BUILT_IN_TYPES = {"_mobilePhone": "phone", "_birthdate": "date", "_points": "integer"}


def writer(account: Account, options: Options, header: Sequence[str]) -> Writer:
    """What writes the rows of a file.

    Raises:
        UnusableFileError: the header lacks what the type needs.
    """
    columns = [name.strip() for name in header]
    if len(set(columns)) != len(columns):
        raise UnusableFileError("A column appears twice")
    rows: _Rows = _WRITERS[options.type](account, options, columns)

    def write(cells: Sequence[str], now: float) -> Outcome:
        if len(cells) != len(columns):
            raise BadRowError(f"{len(cells)} cells instead of {len(columns)}")
        return rows.write(dict(zip(columns, cells, strict=True)), now)

    return write


class _Rows:
    def __init__(self, account: Account, options: Options, columns: Sequence[str]) -> None:
        self.account = account
        self.options = options
        self.prepare(columns)

    def prepare(self, columns: Sequence[str]) -> None:
        raise NotImplementedError

    def write(self, row: Row, now: float) -> Outcome:
        raise NotImplementedError

    def let_through(self, changes: dict[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The changes the options let through; None: the row is left alone."""
        if stored is None:
            return changes
        if not self.options.override_existing:
            return None
        if self.options.update_only_empty:
            return {name: value for name, value in changes.items() if stored.get(name) in (None, "", [])}
        return changes

    def read(self, name: str, cell: str, kind: Kind) -> dict[str, Any]:
        """The change a cell makes; an empty one makes none, or clears the field."""
        if cell == "":
            return {name: None} if self.account.world.switches.import_empty_cell == "clear" else {}
        try:
            value = kind.read(cell)
        except ValueError:
            raise BadRowError(f"{name} is not valid") from None
        if not kind.check(value):
            raise BadRowError(f"{name} is not valid")
        return {name: value}


class _ContactRows(_Rows):
    def prepare(self, columns: Sequence[str]) -> None:
        if "_email" not in columns and "_externalId" not in columns:
            raise UnusableFileError("There is no column _email or _externalId")
        # Columns that are no fields are not imported.
        self.known = {name: found for name in columns if (found := self._column(name)) is not None}

    def write(self, row: Row, now: float) -> Outcome:
        contacts, switches = self.account.contacts, self.account.world.switches
        email, external_id = self._keys(row)
        changes: dict[str, Any] = {}
        for name, (type_name, kind) in self.known.items():
            changes |= self._cell(name, row[name].strip(), type_name, kind)
        # With both keys the external id wins.
        by: By = "external-id" if external_id else "email"
        entry = contacts.find(by, external_id or email)
        if external_id and email:
            holder = contacts.find("email", email)
            if holder is not None and (entry is None or entry.place != holder.place):
                raise BadRowError("_email belongs to another contact")
            changes["_email"] = email
        kept = self.let_through(changes, entry.body if entry is not None else None)
        if kept is None:
            return Outcome.SKIPPED
        _, created = contacts.patch(by, external_id or email, kept, now, switches)
        if created and switches.charge_imported_contacts:
            self.account.consume("entity-created")
        return Outcome.WRITTEN

    def _keys(self, row: Row) -> tuple[str, str]:
        email, external_id = row.get("_email", "").strip(), row.get("_externalId", "").strip()
        if email and not is_email(email):
            raise BadRowError("_email is not valid")
        if len(external_id) > MAX_EXTERNAL_ID:
            raise BadRowError("_externalId is too long")
        if not email and not external_id:
            raise BadRowError("The row has neither _email nor _externalId")
        return email.lower() if self.account.world.switches.email_case == "lower" else email, external_id

    def _cell(self, name: str, cell: str, type_name: str, kind: Kind) -> dict[str, Any]:
        switches = self.account.world.switches
        if not cell and type_name in _TYPED:
            if switches.empty_typed_cell == "error":
                raise BadRowError(f"{name} is empty")
            return {}
        if type_name == "phone":
            if " " in cell:
                raise BadRowError(f"{name} has spaces")
            cell = switches.store_phone_prefix + cell if re.fullmatch(r"[0-9]+", cell) else cell
        return self.read(name, cell, kind)

    def _column(self, name: str) -> tuple[str, Kind] | None:
        """Type and kind of a column; None for the keys and for what is no field."""
        if name in WRITABLE:
            type_name = _BUILT_IN_TYPES.get(name, "text")
            typed = {"phone": PHONE, "date": DATE, "integer": CONTACT_INTEGER}
            return type_name, typed.get(type_name, WRITABLE[name])
        definition = self.account.contact_fields.find(name)
        if definition is None:
            return None
        typed = {"date": DATE, "integer": CONTACT_INTEGER, "decimal": NUMBER}
        return definition["type"], typed.get(definition["type"], custom_kind(definition))


class _ProductRows(_Rows):
    def prepare(self, columns: Sequence[str]) -> None:
        if missing := [name for name in _PRODUCT_KEYS if name not in columns]:
            raise UnusableFileError(f"Columns are missing: {', '.join(missing)}")
        self.known = {name: PRODUCT[name] for name in columns if name in PRODUCT}

    def write(self, row: Row, now: float) -> Outcome:
        products, switches = self.account.products, self.account.world.switches
        if empty := [name for name in _PRODUCT_KEYS if not row[name].strip()]:
            raise BadRowError(f"{empty[0]} is empty")
        changes: dict[str, Any] = {}
        for name, kind in self.known.items():
            # Blanks around a text are its own; around a number they are nobody's.
            changes |= self.read(name, row[name] if kind is TEXT else row[name].strip(), kind)
        url = changes["productDetailUrl"]
        if not is_url(url):
            raise BadRowError("productDetailUrl is not valid")
        if switches.import_checks_domains and not products.domains.allow(url, switches.domain_match):
            raise BadRowError("productDetailUrl is not on an authorised domain")
        product_id = row["productId"].strip()
        entry = products.shelf.find(product_id)
        kept = self.let_through(changes, entry.body if entry is not None else None)
        if kept is None:
            return Outcome.SKIPPED
        products.patch(product_id, kept, now)
        return Outcome.WRITTEN


class _CouponRows(_Rows):
    def prepare(self, columns: Sequence[str]) -> None:
        if list(columns) != ["code"]:
            raise UnusableFileError("The only column is code")

    def write(self, row: Row, now: float) -> Outcome:
        code = row["code"].strip()
        if not code:
            raise BadRowError("code is empty")
        coupon_set = self.account.coupon_sets.find(self.options.coupon_set_id or "")
        if coupon_set is None:
            raise BadRowError("The coupon set is gone")
        fresh = self.account.coupon_sets.add(coupon_set, code, now)
        if not fresh and self.account.world.switches.duplicate_coupon == "error":
            raise BadRowError("code is a duplicate")
        return Outcome.WRITTEN


_WRITERS: dict[str, type[_Rows]] = {
    "contacts": _ContactRows,
    "products": _ProductRows,
    "coupons": _CouponRows,
}
