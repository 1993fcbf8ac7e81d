"""A page as a browser with scripts has it, flat: what may be a tag, in the document's order, and all text.

An element's descendants are those that begin after it and before its end, so each look-up is a search in a
sorted list, however deep or numerous the elements are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

#: Characters of an element's text that are looked at.
TEXT_MAX = 4_000
#: Characters of one script, comment, template or noscript that are looked at.
HIDDEN_MAX = 2_000_000
#: Class names of one element that are looked at.
_CLASSES_MAX = 50
#: ASCII white space: what parts class names.
_SPACE = "\t\n\f\r "
#: Elements whose text a browser takes for no markup.
_RAW = frozenset({"noscript", "iframe", "textarea", "noembed", "noframes", "xmp", "title"})
#: Elements without attributes are of interest by these names only.
_KEPT_NAMES = _RAW | {"html", "body", "script", "template"}
_KEPT_ATTRIBUTES = (
    "id",
    "class",
    "src",
    "data-src",
    "type",
    "name",
    "content",
    "property",
    "data-field-list",
)


@dataclass(slots=True)
class Element:
    """One element.

    Attributes:
        index: its place in the document's list of elements.
        name: of the tag.
        attributes: those that matter here.
        depth: how many elements are around it.
        end: index of the first element behind its descendants.
        text_start: where its text begins in that of the document.
        text_end: where that ends.
    """

    index: int
    name: str
    attributes: Mapping[str, str]
    depth: int
    end: int = 0
    text_start: int = 0
    text_end: int = 0

    @property
    def class_attribute(self) -> str:
        """As it stands."""
        return self.attributes.get("class", "")

    @property
    def classes(self) -> list[str]:
        """Its class names."""
        return _classes(self.class_attribute)


def _classes(attribute: str) -> list[str]:
    for space in _SPACE[:-1]:
        attribute = attribute.replace(space, " ")
    return [name for name in attribute.split(" ", _CLASSES_MAX)[:_CLASSES_MAX] if name]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Text that a browser shows to no class look-up.

    Attributes:
        where: `comment`, `template`, `noscript`, `script` or another element's name.
        text: its beginning.
    """

    where: str
    text: str


@dataclass(slots=True)
class Document:
    """A parsed page."""

    elements: list[Element] = field(default_factory=list)
    text: str = ""
    hidden: list[Hidden] = field(default_factory=list)
    scripts: list[tuple[Element, str]] = field(default_factory=list)
    _by_class: dict[str, list[int]] = field(default_factory=dict)

    def text_of(self, element: Element, most: int = TEXT_MAX) -> str:
        """The text of an element and its descendants, as `textContent` has it; its beginning."""
        return self.text[element.text_start : min(element.text_end, element.text_start + most)]

    def with_class(self, name: str, inside: Element | None = None) -> Iterator[Element]:
        """Elements of a class, in order; those inside of another, or all."""
        places = self._by_class.get(name, [])
        first = 0 if inside is None else bisect_right(places, inside.index)
        for place in range(first, len(places)):
            if inside is not None and places[place] >= inside.end:
                return
            yield self.elements[places[place]]

    def first(self, name: str, inside: Element) -> Element | None:
        """The first descendant of a class."""
        return next(self.with_class(name, inside), None)

    def inside(self, element: Element) -> Iterator[Element]:
        """All descendants, in order."""
        for index in range(element.index + 1, element.end):
            yield self.elements[index]

    def children(self, element: Element) -> Iterator[Element]:
        """The elements right below another, of those that are kept."""
        index = element.index + 1
        while index < element.end:
            if self.elements[index].depth == element.depth + 1:
                yield self.elements[index]
                index = self.elements[index].end
            else:
                index += 1

    def close(self, text: str) -> None:
        """Once all elements are there."""
        self.text = text
        for element in self.elements:
            if not element.class_attribute:
                continue
            for name in dict.fromkeys(element.classes):
                self._by_class.setdefault(name, []).append(element.index)


def parse(html: str) -> Document:
    """Read a page as browsers do, however broken it is.

    Time grows with the length, but for pages made to be slow (some hundred thousand elements in one another),
    which `bounded` ends.
    """
    parser = LexborHTMLParser(html, scripting=True)
    document, text = Document(), _Text()
    node = parser.root
    while node is not None and node.prev is not None:  # comments before the root
        node = node.prev
    below: list[Element | None] = []
    while node is not None:
        element = _enter(node, document, text, len(below))
        child = node.first_child
        if child is not None:
            below.append(element)
            node = child
            continue
        if element is not None:
            _leave(element, document, text)
        node = _next(node, below, document, text)
    document.close(text.joined())
    return document


@dataclass(slots=True)
class _Text:
    """Pieces of text, and how long they are together."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += len(piece)

    def joined(self) -> str:
        return "".join(self.pieces)


def _enter(node: LexborNode, document: Document, text: _Text, depth: int) -> Element | None:
    """Take up a node; an element is returned where it may matter."""
    name = node.tag
    if name == "-text":
        text.add(node.text_content or "")
        return None
    if name == "-comment":
        document.hidden.append(Hidden("comment", (node.comment_content or "")[:HIDDEN_MAX]))
        return None
    if not name or not node.is_element_node:
        return None
    given = node.attributes
    if not given and name not in _KEPT_NAMES:
        return None
    kept = {key: given[key] or "" for key in _KEPT_ATTRIBUTES if key in given}
    element = Element(len(document.elements), name, kept, depth, text_start=text.length)
    document.elements.append(element)
    if name == "template":
        document.hidden.append(Hidden("template", (node.html or "")[:HIDDEN_MAX]))
    return element


def _leave(element: Element, document: Document, text: _Text) -> None:
    element.end, element.text_end = len(document.elements), text.length
    if element.name == "script" or element.name in _RAW:
        own = _recent(text, element.text_start)[:HIDDEN_MAX]
        if element.name == "script":
            document.scripts.append((element, own))
        document.hidden.append(Hidden(element.name, own))


def _recent(text: _Text, start: int) -> str:
    """What came since; these elements have text only, in the last pieces."""
    taken, length = [], text.length
    for piece in reversed(text.pieces):
        if length <= start:
            break
        taken.append(piece)
        length -= len(piece)
    return "".join(reversed(taken))


def _next(
    node: LexborNode, below: list[Element | None], document: Document, text: _Text
) -> LexborNode | None:
    """The node behind another and its descendants; nodes that have some are left."""
    current: LexborNode | None = node
    while current is not None:
        if (sibling := current.next) is not None:
            return sibling
        if not below:
            return None
        current = current.parent
        if (element := below.pop()) is not None:
            _leave(element, document, text)
    return None
