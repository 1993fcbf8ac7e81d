"""Whether a text holds another in disguise: escaped, encoded, cut in pieces, in other letters.

What stands in a text as it is can be taken out of it. What stands there in disguise is only found: then the
text as a whole is not kept.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

#: How often what was decoded is decoded again, and how many characters are read in all.
ROUNDS, MOST = 3, 60_000
#: Letters and digits that a text needs to be searched for: shorter ones are in any text by chance.
SHORTEST = 5
#: Digits at the end of a phone number that make it known, and at the beginning of a date.
_PHONE, _DATE = 9, 8

_ESCAPED = re.compile(
    r"\\u\{?([0-9a-f]{4})\}?|\\x([0-9a-f]{2})|=([0-9a-f]{2})|\\([0-3][0-7]{2})|\\[nrt]", re.IGNORECASE
)
_HEX = re.compile(r"(?:[0-9a-f]{2}){5,}", re.IGNORECASE)
#: Between bytes in hexadecimal, as `0x41, 0x6e` has them.
_BEFORE_HEX = re.compile(r"[\s,;]*0x", re.IGNORECASE)
#: Bytes as decimal numbers: `[65,110]`, `65.110`.
_DECIMALS = re.compile(r"(?<![\d.])\d{1,3}(?:[\s,;.]{1,3}\d{1,3}){4,}(?![\d.])")
_BASE32 = re.compile(r"[A-Z2-7]{8,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{7,}")
_NUMBER, _MOST_BYTE = re.compile(r"\d+"), 255
_URL_SAFE = str.maketrans("-_", "+/")
#: Of what is decoded, so much is text, or it was none.
_TEXT = 0.9


class Hidden:
    """Searches for some texts.

    Args:
        texts: to be found; those too short to be distinctive are not searched for.
        backwards: whether they count when they are written backwards, too.
    """

    def __init__(self, texts: Iterable[str], *, backwards: bool = False) -> None:
        known = {form for text in texts for form in _forms(squeezed(text)) if len(form) >= SHORTEST}
        self._known = known | {text[::-1] for text in known} if backwards else known

    def are_in(self, text: str) -> bool:
        """Whether one of them is in a text, in any encoding."""
        if not self._known:
            return False
        all_of_it = "\n".join(squeezed(reading) for reading in readings(text))
        return any(known in all_of_it for known in self._known)


def readings(text: str) -> list[str]:
    """A text, and its decodings in every encoding known here."""
    found, latest, left = {text}, [text], MOST
    for _ in range(ROUNDS):
        fresh: list[str] = []
        for reading in [decoded for before in latest for decoded in _decoded(before)]:
            if reading not in found and len(reading) <= left:
                found.add(reading)
                fresh.append(reading)
                left -= len(reading)
        latest = fresh
    return list(found)


def squeezed(text: str) -> str:
    """The letters and digits of a text alone, without accents, marks and case."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(filter(str.isalnum, plain))


def _forms(value: str) -> Iterator[str]:
    yield value
    if value.isdecimal() and len(value) > _PHONE:
        yield value[-_PHONE:]
    if value[:_DATE].isdecimal() and value[_DATE : _DATE + 1] == "t":
        yield value[:_DATE]


def _decoded(text: str) -> Iterator[str]:
    yield html.unescape(text)
    yield unquote(text)
    yield _unescaped(text)
    yield text.encode("cp1252", "ignore").decode("utf-8", "ignore")
    for numbers in _DECIMALS.findall(text):
        codes = [int(number) for number in _NUMBER.findall(numbers)]
        yield from _as_text(bytes(code for code in codes if code <= _MOST_BYTE))
    for word in _BASE32.findall(text):
        yield from _as_text(_from_base32(word))
    for joined in dict.fromkeys((text, "".join(text.split()), _BEFORE_HEX.sub("", text))):
        for word in _HEX.findall(joined):
            yield from _as_text(bytes.fromhex(word))
        for word in _BASE64.findall(joined):
            # It may begin in the middle of what was encoded.
            for start in range(4):
                yield from _as_text(_from_base64(word[start:]))


def _unescaped(text: str) -> str:
    """Escapes of JSON, of other languages, and of mail."""
    units = _ESCAPED.sub(_unit, text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unit(escape: re.Match[str]) -> str:
    octal = escape[4]
    return chr(int(octal, 8) if octal else int(escape[1] or escape[2] or escape[3] or "20", 16))


def _from_base32(word: str) -> bytes:
    whole = word[: len(word) - len(word) % 8]
    rest = word[len(whole) :]
    try:
        return base64.b32decode(whole) + base64.b32decode(rest + "=" * (-len(rest) % 8))
    except binascii.Error:  # its last characters are no end of one
        return base64.b32decode(whole)


def _from_base64(word: str) -> bytes:
    whole = word[: len(word) - (len(word) % 4 == 1)]
    try:
        return base64.b64decode(whole.translate(_URL_SAFE) + "=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _as_text(content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "ignore")
    if sum(map(str.isprintable, text)) >= _TEXT * len(content) * len(text) / max(1, len(text.encode())) > 0:
        yield text
