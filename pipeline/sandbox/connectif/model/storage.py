"""The storage of an account's elements: packed, so that a million purchases fit a small machine.

An element is found by its key and by the id Connectif gives it. One that was deleted leaves a record of how
often it was created and written: tests of "never created twice" read it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.sandbox.connectif.model.encoding import dump_json
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.ids import MakeId

_HEAD = struct.Struct("<dddII??")
_ID = re.compile(r"[0-9a-f]{24}")
#: Smaller bodies gain little from compression.
_COMPRESS_FROM = 256
#: The words most bodies share; text that repeats them costs next to nothing.
_COMPRESSION_DICTIONARY = (
    b'{"categories":["],"tags":["],"customField1":"","customField2":"","customField3":"","brand":"",'
    b'"publishedAt":"-01-01T00:00:00Z","availability":"instock","isBlacklisted":false,"description":"",'
    b'"paymentMethod":"","purchaseDate":"2026-01-01T00:00:00Z","contactEmail":"@example.com","cartId":"",'
    b'"contactId":"","totalQuantity":1,"totalPrice":,"purchaseId":"","products":[{"productId":"","name":"",'
    b'"productDetailUrl":"https://www./products/","imageUrl":"https://cdn.","thumbnailUrl":"https://",'
    b'"unitPrice":,"unitPriceOriginal":,"unitPriceWithoutVAT":,"discountedAmount":0,"discountedPercentage":0,'
    b'"quantity":1,"price":,"id":"'
)


class StoredElement:
    """An element as it is (or, deleted, was).

    Times are epoch seconds; `event_time` is the element's own, such as a purchase's date.
    """

    __slots__ = (
        *("_packed", "_make_id", "_unpacked", "created", "creates", "deleted"),
        *("key", "position", "updated", "event_time", "writes"),
    )

    def __init__(
        self, position: int, key: str, row: bytes, make_id: MakeId, unpacked: bytes | None = None
    ) -> None:
        self.position = position
        self.key = key
        (self.created, self.updated, self.event_time, self.writes, self.creates, self.deleted, packed) = (
            _HEAD.unpack_from(row)
        )
        self._packed = (packed, row)
        self._unpacked = unpacked
        self._make_id = make_id

    @property
    def id(self) -> str:
        """What Connectif calls it."""
        return self._make_id(self.position, self.created, self.creates)

    @property
    def raw(self) -> bytes:
        """The stored JSON."""
        if self._unpacked is not None:
            return self._unpacked
        packed, row = self._packed
        if not packed:
            return row[_HEAD.size :]
        return zlib.decompressobj(zdict=_COMPRESSION_DICTIONARY).decompress(row[_HEAD.size :])

    @property
    def body(self) -> dict[str, Any]:
        """The stored document."""
        document: dict[str, Any] = orjson.loads(self.raw)
        return document

    @property
    def json(self) -> bytes:
        """The document with its id and times, as the API answers it."""
        head = dump_json({"id": self.id, "createdAt": iso(self.created), "updatedAt": iso(self.updated)})
        raw = self.raw
        return head if raw == b"{}" else head[:-1] + b"," + raw[1:]


class ElementStorage:
    """Elements of one kind.

    Attributes:
        held: how many there are now.
        created: creations ever, those of deleted elements included.
        recreated: creations of what had been there before.
    """

    def __init__(self, make_id: MakeId) -> None:
        self._make_id = make_id
        self._positions: dict[str, int] = {}
        self._keys: list[str] = []
        self._rows: list[bytes] = []
        self.held = self.created = self.recreated = 0

    def __len__(self) -> int:
        """How many there ever were."""
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return self.find(key) is not None

    def find(self, key: str) -> StoredElement | None:
        """The element with that key, if it is there now."""
        element = self.find_even_deleted(key)
        return None if element is None or element.deleted else element

    def find_even_deleted(self, key: str) -> StoredElement | None:
        """The element with that key, deleted or not."""
        position = self._positions.get(key)
        return None if position is None else self._at(position)

    def at(self, position: int) -> StoredElement | None:
        """The element at a position, if it is there now."""
        element = self._at(position)
        return None if element.deleted else element

    def find_by_id(self, connectif_id: str) -> StoredElement | None:
        """The element Connectif gave that id, if it is there now."""
        if not _ID.fullmatch(connectif_id):
            return None
        position = int(connectif_id[16:], 16)
        element = self.at(position) if position < len(self._rows) else None
        return element if element is not None and element.id == connectif_id else None

    def put(self, key: str, body: Mapping[str, Any], now: float, event_time: float = 0.0) -> StoredElement:
        """Create or replace the element; `event_time` is kept for sorting and filtering."""
        old = self.find_even_deleted(key)
        if old is not None and not old.deleted:
            return self._store(
                old.position, key, body, (old.created, now, event_time, old.writes + 1, old.creates)
            )
        self.held += 1
        self.created += 1
        if old is not None:
            self.recreated += 1
            return self._store(
                old.position, key, body, (now, now, event_time, old.writes + 1, old.creates + 1)
            )
        position = len(self._rows)
        self._positions[key] = position
        self._keys.append(key)
        self._rows.append(b"")
        return self._store(position, key, body, (now, now, event_time, 1, 1))

    def rename(self, element: StoredElement, key: str) -> None:
        """Give the element another key; one deleted under that key gives it up."""
        if self._positions.get(element.key) == element.position:
            del self._positions[element.key]
        self._positions[key] = element.position
        self._keys[element.position] = key

    def delete(self, element: StoredElement, now: float) -> None:
        """Delete the element; the record of it stays."""
        head = (element.created, now, element.event_time, element.writes, element.creates)
        self._rows[element.position] = _HEAD.pack(*head, True, False)
        self.held -= 1

    def page(self, offset: int, limit: int) -> Iterator[StoredElement]:
        """Elements in the order they came, deleted ones included."""
        for position in range(offset, min(offset + limit, len(self._rows))):
            yield self._at(position)

    def existing(self) -> Iterator[StoredElement]:
        """Elements that are there now."""
        return (element for element in self.page(0, len(self._rows)) if not element.deleted)

    def _at(self, position: int) -> StoredElement:
        return StoredElement(position, self._keys[position], self._rows[position], self._make_id)

    def _store(
        self, position: int, key: str, body: Mapping[str, Any], head: tuple[float, float, float, int, int]
    ) -> StoredElement:
        raw = stored = dump_json(body)
        packed = len(raw) >= _COMPRESS_FROM
        if packed:
            compressor = zlib.compressobj(level=1, memLevel=7, zdict=_COMPRESSION_DICTIONARY)
            stored = compressor.compress(raw) + compressor.flush()
        self._rows[position] = _HEAD.pack(*head, False, packed) + stored
        return StoredElement(position, key, self._rows[position], self._make_id, raw)
