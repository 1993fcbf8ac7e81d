"""Rows of imports: read by the rules of each type, and written over what is there as the options say."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.contacts import MAX_EXTERNAL_ID, WRITABLE, ContactKey, custom_field_type
from pipeline.sandbox.connectif.model.field_types import (
    CONTACT_INTEGER,
    DATE,
    NUMBER,
    PHONE,
    TEXT,
    FieldType,
    is_email,
    is_url,
)
from pipeline.sandbox.connectif.model.products import PRODUCT


class ImportOptions(NamedTuple):
    """What an import was asked to do."""

    type: str
    delimiter: str
    override_existing: bool
    update_only_empty: bool
    coupon_set_id: str | None


class RowResult(enum.Enum):
    """What became of a good row."""

    WRITTEN = "written"
    SKIPPED = "skipped"


class UnusableFileError(Exception):
    """The file as a whole cannot be imported."""


class BadRowError(Exception):
    """A row is refused; the text says why."""


Row = Mapping[str, str]
#: Cells and the time -> what became of the row; BadRowError: it is refused.
RowWriter = Callable[[Sequence[str], float], RowResult]

_PRODUCT_KEYS = ("productId", "name", "productDetailUrl", "unitPrice")
_TYPED = frozenset({"phone", "date", "integer", "decimal", "radio"})
_BUILT_IN_TYPES = {"_mobilePhone": "phone", "_birthdate": "date", "_points": "integer"}


def row_writer(data: AccountData, options: ImportOptions, header: Sequence[str]) -> RowWriter:
    """What writes the rows of a file.

    Raises:
        UnusableFileError: the header lacks what the type needs.
    """
    columns = [name.strip() for name in header]
    if len(set(columns)) != len(columns):
        raise UnusableFileError("A column appears twice")
    rows: _RowImporter = _IMPORTERS[options.type](data, options, columns)

    def write(cells: Sequence[str], now: float) -> RowResult:
        if len(cells) != len(columns):
            raise BadRowError(f"{len(cells)} cells instead of {len(columns)}")
        return rows.write(dict(zip(columns, cells, strict=True)), now)

    return write


class _RowImporter:
    def __init__(self, data: AccountData, options: ImportOptions, columns: Sequence[str]) -> None:
        self.data = data
        self.options = options
        self.prepare(columns)

    def prepare(self, columns: Sequence[str]) -> None:
        raise NotImplementedError

    def write(self, row: Row, now: float) -> RowResult:
        raise NotImplementedError

    def permitted_changes(
        self, changes: dict[str, Any], stored: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        """The changes that the options permit; None: the row is left alone."""
        if stored is None:
            return changes
        if not self.options.override_existing:
            return None
        if self.options.update_only_empty:
            return {name: value for name, value in changes.items() if stored.get(name) in (None, "", [])}
        return changes

    def read(self, name: str, cell: str, field_type: FieldType) -> dict[str, Any]:
        """The change a cell makes; an empty one makes none, or clears the field."""
        if cell == "":
            return {name: None} if self.data.simulation.behaviour.import_empty_cell == "clear" else {}
        try:
            value = field_type.read(cell)
        except ValueError:
            raise BadRowError(f"{name} is not valid") from None
        if not field_type.check(value):
            raise BadRowError(f"{name} is not valid")
        return {name: value}


_STATUS, _LEFT = "_newsletterSubscriptionStatus", "unsubscribed"


class _ContactImporter(_RowImporter):
    def prepare(self, columns: Sequence[str]) -> None:
        if "_email" not in columns and "_externalId" not in columns:
            raise UnusableFileError("There is no column _email or _externalId")
        # Columns that are no fields are not imported.
        self.known = {name: found for name in columns if (found := self._column(name)) is not None}

    def write(self, row: Row, now: float) -> RowResult:
        contacts, behaviour = self.data.contacts, self.data.simulation.behaviour
        email, external_id = self._keys(row)
        changes: dict[str, Any] = {}
        for name, (type_name, field_type) in self.known.items():
            changes |= self._cell(name, row[name].strip(), type_name, field_type)
        # With both keys the external id wins.
        by: ContactKey = "external-id" if external_id else "email"
        element = contacts.find(by, external_id or email)
        if external_id and email:
            holder = contacts.find("email", email)
            if holder is not None and (element is None or element.position != holder.position):
                raise BadRowError("_email belongs to another contact")
            changes["_email"] = email
        kept = self.permitted_changes(changes, element.body if element is not None else None)
        if kept is None:
            return RowResult.SKIPPED
        before = None if element is None else element.body.get(_STATUS)
        _, created = contacts.patch(by, external_id or email, kept, now, behaviour)
        if kept.get(_STATUS) == _LEFT != before and email and self.data.on_unsubscribed is not None:
            self.data.on_unsubscribed(email)
        if created and behaviour.charge_imported_contacts:
            self.data.consume("entity-created")
        return RowResult.WRITTEN

    def _keys(self, row: Row) -> tuple[str, str]:
        email, external_id = row.get("_email", "").strip(), row.get("_externalId", "").strip()
        if email and not is_email(email):
            raise BadRowError("_email is not valid")
        if len(external_id) > MAX_EXTERNAL_ID:
            raise BadRowError("_externalId is too long")
        if not email and not external_id:
            raise BadRowError("The row has neither _email nor _externalId")
        return (
            email.lower() if self.data.simulation.behaviour.email_case == "lower" else email,
            external_id,
        )

    def _cell(self, name: str, cell: str, type_name: str, field_type: FieldType) -> dict[str, Any]:
        behaviour = self.data.simulation.behaviour
        if not cell and type_name in _TYPED:
            if behaviour.empty_typed_cell == "error":
                raise BadRowError(f"{name} is empty")
            return {}
        if type_name == "phone":
            if " " in cell:
                raise BadRowError(f"{name} has spaces")
            cell = behaviour.store_phone_prefix + cell if re.fullmatch(r"[0-9]+", cell) else cell
        return self.read(name, cell, field_type)

    def _column(self, name: str) -> tuple[str, FieldType] | None:
        """Type and kind of a column; None for the keys and for what is no field."""
        if name in WRITABLE:
            type_name = _BUILT_IN_TYPES.get(name, "text")
            typed = {"phone": PHONE, "date": DATE, "integer": CONTACT_INTEGER}
            return type_name, typed.get(type_name, WRITABLE[name])
        definition = self.data.contact_fields.find(name)
        if definition is None:
            return None
        typed = {"date": DATE, "integer": CONTACT_INTEGER, "decimal": NUMBER}
        return definition["type"], typed.get(definition["type"], custom_field_type(definition))


class _ProductImporter(_RowImporter):
    def prepare(self, columns: Sequence[str]) -> None:
        if missing := [name for name in _PRODUCT_KEYS if name not in columns]:
            raise UnusableFileError(f"Columns are missing: {', '.join(missing)}")
        self.known = {name: PRODUCT[name] for name in columns if name in PRODUCT}

    def write(self, row: Row, now: float) -> RowResult:
        products, behaviour = self.data.products, self.data.simulation.behaviour
        if empty := [name for name in _PRODUCT_KEYS if not row[name].strip()]:
            raise BadRowError(f"{empty[0]} is empty")
        changes: dict[str, Any] = {}
        for name, field_type in self.known.items():
            # Blanks around a text are its own; around a number they are ignored.
            changes |= self.read(name, row[name] if field_type is TEXT else row[name].strip(), field_type)
        url = changes["productDetailUrl"]
        if not is_url(url):
            raise BadRowError("productDetailUrl is not valid")
        if behaviour.import_checks_domains and not products.domains.allow(url, behaviour.domain_match):
            raise BadRowError("productDetailUrl is not on an authorised domain")
        product_id = row["productId"].strip()
        element = products.storage.find(product_id)
        kept = self.permitted_changes(changes, element.body if element is not None else None)
        if kept is None:
            return RowResult.SKIPPED
        products.patch(product_id, kept, now)
        return RowResult.WRITTEN


class _CouponImporter(_RowImporter):
    def prepare(self, columns: Sequence[str]) -> None:
        if list(columns) != ["code"]:
            raise UnusableFileError("The only column is code")

    def write(self, row: Row, now: float) -> RowResult:
        code = row["code"].strip()
        if not code:
            raise BadRowError("code is empty")
        coupon_set = self.data.coupon_sets.find(self.options.coupon_set_id or "")
        if coupon_set is None:
            raise BadRowError("The coupon set is gone")
        fresh = self.data.coupon_sets.add(coupon_set, code, now)
        if not fresh and self.data.simulation.behaviour.duplicate_coupon == "error":
            raise BadRowError("code is a duplicate")
        return RowResult.WRITTEN


_IMPORTERS: dict[str, type[_RowImporter]] = {
    "contacts": _ContactImporter,
    "products": _ProductImporter,
    "coupons": _CouponImporter,
}
