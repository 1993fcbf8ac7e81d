"""What is kept of Connectif's messages: one short line, without what was sent to it, and without our key.

An API that says what is wrong often repeats what it was given. These messages go to logs, receipts and the
headers of dead letters, where neither a customer's data nor a key may stand. What stands there as it was sent
is blanked; if it is there in another encoding (`readings`), nothing of the message is kept.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from pipeline.connectif.readings import Hidden

DETAIL_LIMIT = 300
#: Characters of a text that are read; what a repeated value of this length leaves is still one line.
TEXT_LIMIT = 3_000
#: Searching for every cell of a longer file would take too long: no message about it is kept.
FILE_LIMIT = 20_000
KEY, SENT = "<key>", "<sent>"
#: A shorter value is only found as a whole word, and a shorter word of a longer value not at all.
LONG, WORD = 4, 3

_TOKEN = re.compile(r"[^\s\"'<>]+")
_AT = re.compile(r"@|\uff20|%(?:25)?40|&#0*64;|&#x0*40;|&commat;|\\u0040|\\x40", re.IGNORECASE)
_DIGITS = re.compile(r"(?<!\w)\+?\(?\d(?:[ ().-]{0,2}\d){6,}(?!\w)")
_BLANKS = re.compile(r"\s+")
_WORDS = re.compile(rf"\w{{{WORD},}}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{4,}")


@dataclass(frozen=True, slots=True)
class Sent:
    """What one call sent, to be found again in its answer.

    Attributes:
        ids: of its path.
        payload: its JSON.
        file: its CSV.
        person: whether it is about a person: then single words count, too.
    """

    ids: tuple[str, ...] = ()
    payload: bytes = b""
    file: bytes = b""
    person: bool = False

    @property
    def too_long(self) -> bool:
        """Whether there is too much to search for."""
        return len(self.file) + len(self.payload) > FILE_LIMIT

    def values(self) -> set[str]:
        """Every value that was sent, as text."""
        found = set(self.ids)
        if self.payload:
            try:
                found.update(_leaves(json.loads(self.payload, parse_float=str, parse_int=str)))
            except (ValueError, RecursionError):
                found.add(self.payload.decode("utf-8", "replace"))
        for row in csv.reader(io.StringIO(self.file.decode("utf-8", "replace"), newline="")):
            found.update(row)
        named = found if self.person else [value.partition("@")[0] for value in found if "@" in value]
        found.update([word for value in named for word in _WORDS.findall(value)])
        return found


NOTHING_SENT = Sent()


class Blanks:
    """Cleans the messages in answers to one account.

    Args:
        key: its API key, `id:secret`.
    """

    def __init__(self, key: str) -> None:
        self._key = _any_of(_key_patterns(key))
        self._coded = re.compile("|".join(_coded_patterns(key)) or "(?!)", re.IGNORECASE)
        self._hidden = Hidden(_parts(key), backwards=True)

    def clean(self, text: str, sent: Sent = NOTHING_SENT) -> str:
        """One short line without the key, what was sent, e-mail addresses and phone numbers."""
        if sent.too_long:
            return ""
        cut, text = len(text) > TEXT_LIMIT, _line(text[:TEXT_LIMIT])
        if cut:
            text = text.rpartition(" ")[0]  # the last word may be the beginning of a value
        text = _BASE64.sub(lambda word: KEY if self._coded.search(word[0]) else word[0], text)
        text = self._key.sub(KEY, text)
        said, values = text.lower(), sent.values() if text else set()
        found = {value: _written(value) for value in map(_line, values) if value}
        there = [
            (value, _pattern(value, written))
            for value, written in sorted(found.items(), key=lambda item: len(item[0]), reverse=True)
            if any(form.lower() in said for form in written)
        ]
        text = _blanked(text, [pattern for value, pattern in there if len(value) >= LONG])
        # Before anything short is taken out of the middle of what is disguised.
        lettered = [value for value in values if any(map(str.isalpha, value))]
        in_disguise = Hidden(lettered, backwards=True).are_in(text)
        text = scrub(_blanked(text, [pattern for value, pattern in there if len(value) < LONG]))
        in_disguise = in_disguise or self._hidden.are_in(text) or Hidden(values, backwards=True).are_in(text)
        return "" if in_disguise else text


def scrub(text: str) -> str:
    """One short line without e-mail addresses and phone numbers."""
    text = _line(text[:TEXT_LIMIT])
    text = _TOKEN.sub(lambda token: "<email>" if _AT.search(token[0]) else token[0], text)
    return _line(_DIGITS.sub("<number>", text))[:DETAIL_LIMIT]


def _line(text: str) -> str:
    """Without what no log line, header or JSON text can carry: lone surrogates and control characters."""
    if not (text.isascii() and text.isprintable()):
        text = text.encode("utf-8", "replace").decode()
        text = "".join(character if character.isprintable() else " " for character in text)
    return _BLANKS.sub(" ", text).strip()


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)


def _blanked(text: str, patterns: Sequence[str]) -> str:
    return _any_of(patterns).sub(SENT, text) if patterns else text


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _written(value: str) -> tuple[str, ...]:
    """A value as it stands, and as URLs, JSON and HTML write it."""
    forms = (value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], html.escape(value))
    return tuple(dict.fromkeys(forms))


def _pattern(value: str, written: Iterable[str]) -> str:
    whole = "|".join(map(re.escape, written))
    return f"(?:{whole})" if len(value) >= LONG else rf"(?<!\w)(?:{whole})(?!\w)"


def _key_patterns(key: str) -> list[str]:
    """The key, its secret and its id, in any mixture of the ways to write a character."""
    patterns = []
    for text in _parts(key):
        whole = "".join(map(_character, text))
        patterns.append(whole if len(text) >= LONG else rf"(?<!\w){whole}(?!\w)")
    return patterns


def _parts(key: str) -> list[str]:
    """The key, its id and its secret, the longest first."""
    name, _, secret = key.partition(":")
    return sorted({key, secret, name} - {""}, key=len, reverse=True)


def _coded_patterns(key: str) -> list[str]:
    """The key and its secret in base64."""
    return [core for text in (key, key.partition(":")[2]) for core in _in_base64(text)]


def _character(one: str) -> str:
    """One character of a key: plain, percent-encoded once or twice, escaped as in JSON or HTML."""
    code, plain = ord(one), re.escape(one)
    escaped = rf"\\u{code:04x}|\\x{code:02x}|&\#{code};|&\#x0*{code:x};"
    return rf"(?:\\?{plain}|%(?:25)?{code:02x}|{escaped})"


def _in_base64(text: str) -> Iterator[str]:
    """The characters that base64 of anything with the text in it has, at each of its three places."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + text.encode()).decode()
        # The first characters hold what stands before, the last ones what follows.
        start, end = (0, 2, 3)[before], len(coded) - (0, 3, 2)[(before + len(text.encode())) % 3]
        core = coded[start:end]
        if len(core) >= LONG:
            yield "".join(rf"[{re.escape(one)}]" if one.isalnum() else "[+/_-]" for one in core)
