"""The tags of a page, read as the web client reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pipeline.check.page import properties, values
from pipeline.check.page.dom import Document, Element
from pipeline.check.page.properties import ITEM_CLASS, Property

#: Tags of a kind, lines, values of a property and fields of a contact that are read; the rest is counted.
TAGS_MAX = 50
LINES_MAX = 1_000
SEVERAL_MAX = 100
FIELDS_MAX = 200

Read = str | int | float | None


@dataclass(frozen=True, slots=True)
class Value:
    """A property in the page.

    Attributes:
        text: trimmed; None where no element has the class.
        read: what the client makes of it; None where nothing.
        others: texts of further elements of the class that are not read, and say something else.
    """

    text: str | None
    read: Read
    others: int = 0


@dataclass(slots=True)
class Tag:
    """A tag and what is in it.

    Attributes:
        about: where it is, as findings say it: `purchase[0]`, `cart`, `purchase[0].items[1]`.
        table: its properties.
        element: in the document.
        values: of the properties that occur once.
        several: of the others.
        lines: of a purchase or cart.
        strange: class names inside it that nothing reads.
        nested: it stands in another of its kind.
        whole: all its lines were read.
    """

    about: str
    table: dict[str, Property]
    element: Element
    values: dict[str, Value] = field(default_factory=dict)
    several: dict[str, list[str]] = field(default_factory=dict)
    lines: list[Tag] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    nested: bool = False
    whole: bool = True

    def text(self, name: str) -> str:
        """Of a property; empty where it is missing."""
        return self.values[name].text or ""

    def read(self, name: str) -> Read:
        """What the client makes of a property."""
        return self.values[name].read

    def number(self, name: str) -> float | None:
        """The same of a number."""
        read = self.values[name].read
        return None if read is None or isinstance(read, str) else read

    @property
    def lost(self) -> tuple[str, ...]:
        """The required properties that the client does not accept: it drops the tag."""
        return tuple(
            name for name, known in self.table.items() if known.required and not self._is_accepted(name)
        )

    def _is_accepted(self, name: str) -> bool:
        if self.table[name].type in {"decimal", "integer"}:
            number = self.number(name)
            return number is not None and number >= 0
        return bool(self.text(name))


@dataclass(slots=True)
class Tags:
    """All tags of a page; of carts and contacts the client reads the first."""

    purchases: list[Tag] = field(default_factory=list)
    carts: list[Tag] = field(default_factory=list)
    visited: list[Tag] = field(default_factory=list)
    searched: list[Tag] = field(default_factory=list)
    searches: list[Tag] = field(default_factory=list)
    newsletters: list[Tag] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    page_words: dict[str, list[str]] = field(default_factory=dict)
    contact: list[tuple[str, str]] | None = None
    contact_element: Element | None = None
    hidden_key: bool = False
    left_out: dict[str, int] = field(default_factory=dict)


def read(document: Document) -> Tags:
    """Read all tags."""
    reader = _Reader(document)
    found = reader.tags
    for name in properties.TAGS:
        found.counts[name] = sum(1 for _ in document.with_class(name))
    found.purchases = reader.all("cn_purchase", "purchase[{}]", properties.PURCHASE)
    found.carts = reader.all("cn_cart", "cart", properties.CART, most=1)
    found.visited = reader.all("cn_product_visited", "product", properties.PRODUCT)
    found.searched = reader.all("cn_product_searched", "searched[{}]", properties.PRODUCT)
    found.searches = reader.all("cn_search", "search", properties.SEARCH)
    found.newsletters = reader.all("cn_newsletter_subscribe", "newsletter", properties.NEWSLETTER)
    for name in ("cn_page_category", "cn_page_tag"):
        found.page_words[name] = list(_texts(document, document.with_class(name)))
    found.contact_element = next(document.with_class("cn_client_info"), None)
    if found.contact_element is not None:
        found.contact = list(_fields(document, found.contact_element))
        key = document.first("primary_key", found.contact_element)
        found.hidden_key = key is not None and bool(values.trimmed(document.text_of(key)))
    return found


def _texts(document: Document, elements: Iterable[Element]) -> Iterator[str]:
    for count, element in enumerate(elements):
        if count == SEVERAL_MAX:
            return
        yield values.trimmed(document.text_of(element))


def _fields(document: Document, contact: Element) -> Iterator[tuple[str, str]]:
    """The children's class attributes as they stand, and texts."""
    for count, element in enumerate(document.children(contact)):
        if count == FIELDS_MAX:
            return
        yield element.class_attribute, values.trimmed(document.text_of(element))


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.tags = Tags()
        self._lines = 0

    def all(self, name: str, about: str, table: dict[str, Property], most: int = TAGS_MAX) -> list[Tag]:
        """All tags of a class, with their lines."""
        found: list[Tag] = []
        for element in self.document.with_class(name):
            if len(found) == most:
                break
            place = about.format(len(found))
            place = f"{place}[{len(found)}]" if found and place == about else place
            tag = self._tag(element, place, table)
            tag.nested = any(element.index < other.element.end for other in found)
            if table in (properties.PURCHASE, properties.CART):
                tag.lines = self._lines_of(tag)
            found.append(tag)
        if most > 1 and self.tags.counts[name] > most:
            self.tags.left_out[name] = self.tags.counts[name] - most
        return found

    def _lines_of(self, tag: Tag) -> list[Tag]:
        lines: list[Tag] = []
        for element in self.document.with_class(ITEM_CLASS, tag.element):
            if self._lines >= LINES_MAX:
                tag.whole = False
                self.tags.left_out[ITEM_CLASS] = self.tags.left_out.get(ITEM_CLASS, 0) + 1
                if self.tags.left_out[ITEM_CLASS] > LINES_MAX:
                    break
                continue
            self._lines += 1
            line = self._tag(element, f"{tag.about}.items[{len(lines)}]", properties.LINE)
            line.nested = any(element.index < other.element.end for other in lines[-1:])
            lines.append(line)
        return lines

    def _tag(self, element: Element, about: str, table: dict[str, Property]) -> Tag:
        tag = Tag(about, table, element)
        for name, known in table.items():
            if known.several:
                tag.several[name] = list(_texts(self.document, self.document.with_class(name, element)))
            else:
                tag.values[name] = self._value(name, known, element)
        tag.strange = self._strange(tag)
        return tag

    def _value(self, name: str, known: Property, inside: Element) -> Value:
        found = self.document.with_class(name, inside)
        first = next(found, None)
        if first is None:
            return Value(None, None)
        text = values.trimmed(self.document.text_of(first))
        others = sum(1 for other in _texts(self.document, islice(found, 10)) if other != text)
        return Value(text, _read(text, known), others)

    def _strange(self, tag: Tag) -> list[str]:
        """Class names of elements inside, below no line, that carry no property."""
        names: dict[str, None] = {}
        skip_to = -1
        for count, element in enumerate(self.document.inside(tag.element)):
            if count == LINES_MAX:
                break
            own = element.classes
            if ITEM_CLASS in own:
                skip_to = max(skip_to, element.end)
            if element.index < skip_to or not own or _known(own, tag.table):
                continue
            names |= dict.fromkeys(own)
        return list(names)


def _known(names: list[str], table: dict[str, Property]) -> bool:
    return any(name in table or name == ITEM_CLASS or name.startswith("cn_") for name in names)


def _read(text: str, known: Property) -> Read:
    match known.type:
        case "decimal":
            return values.parse_float(text)
        case "integer":
            return values.parse_int(text)
    return text or None
