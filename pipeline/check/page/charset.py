"""Bytes to text as browsers do: byte order mark, header, meta; where none says, UTF-8 or windows-1252."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal

#: Bytes in which a meta element is looked for; browsers take a later one in the head, too.
_META_WITHIN = 65_536
_COMMENT = re.compile(rb"<!--(?:.*?-->|.*)", re.DOTALL)
_META = re.compile(rb"<meta[\s/][^>]{0,1000}", re.IGNORECASE)
_CHARSET = re.compile(rb"charset[\s]{0,20}=[\s]{0,20}[\"']?[\s]{0,20}([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_IN_HEADER = re.compile(r"charset\s{0,20}=\s{0,20}[\"']?\s{0,20}([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
#: What browsers read these as; Python's own names are another thing.
_AS_BROWSERS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "cp1252": "cp1252", "iso8859-9": "cp1254", "cp1254": "cp1254",
    "iso8859-11": "cp874", "tis-620": "cp874", "cp874": "cp874", "shift_jis": "cp932", "cp932": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "euc_kr": "cp949", "cp949": "cp949",
    "big5": "big5hkscs", "big5hkscs": "big5hkscs", "euc_jp": "euc_jp", "iso2022_jp": "iso2022_jp",
    "utf-8": "utf-8", "utf-16": "utf-16-le", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be",
    "iso8859-2": "iso8859-2", "iso8859-3": "iso8859-3", "iso8859-4": "iso8859-4", "iso8859-5": "iso8859-5",
    "iso8859-6": "iso8859-6", "iso8859-7": "iso8859-7", "iso8859-8": "iso8859-8", "iso8859-10": "iso8859-10",
    "iso8859-13": "iso8859-13", "iso8859-14": "iso8859-14", "iso8859-15": "iso8859-15",
    "iso8859-16": "iso8859-16", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic", "cp1250": "cp1250", "cp1251": "cp1251", "cp1253": "cp1253",
    "cp1255": "cp1255", "cp1256": "cp1256", "cp1257": "cp1257", "cp1258": "cp1258", "cp866": "cp866",
}  # fmt: skip
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xfe\xff": "utf-16-be", b"\xff\xfe": "utf-16-le"}

By = Literal["byte order mark", "header", "meta", "nothing: it is UTF-8", "nothing: it is not UTF-8"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page's text, the encoding it was read in, what said so, and how many characters could not be read."""

    text: str
    encoding: str
    by: By
    unreadable: int


def decode(body: bytes, content_type: str = "") -> Decoded:
    """The text of a page; whatever cannot be read becomes a replacement character.

    Args:
        body: as it came.
        content_type: the header; empty for a file.
    """
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return _read(body[len(mark) :], encoding, "byte order mark")
    header = _IN_HEADER.search(content_type[:1_000])
    if header and (known := _known(header[1])):
        return _read(body, known, "header")
    if known := _of_meta(body[:_META_WITHIN]):
        return _read(body, known, "meta")
    try:
        return Decoded(body.decode(), "utf-8", "nothing: it is UTF-8", 0)
    except UnicodeDecodeError:
        return _read(body, "cp1252", "nothing: it is not UTF-8")


def _of_meta(beginning: bytes) -> str:
    for meta in _META.finditer(_COMMENT.sub(b"", beginning)):
        found = _CHARSET.search(meta[0])
        if found and (known := _known(found[1].decode("ascii"))):
            # A meta that could be read is not in UTF-16.
            return "utf-8" if known.startswith("utf-16") else known
    return ""


def _known(label: str) -> str:
    label = {
        "x-sjis": "shift_jis",
        "x-gbk": "gbk",
        "x-user-defined": "cp1252",
        "unicode-1-1-utf-8": "utf-8",
    }.get(label.lower(), label)
    try:
        return _AS_BROWSERS.get(codecs.lookup(label).name, "")
    except (LookupError, ValueError):
        return ""


def _read(body: bytes, encoding: str, by: By) -> Decoded:
    text = body.decode(encoding, errors="replace")
    if encoding == "cp1252" and "\ufffd" in text:
        # Five bytes are no character there; browsers keep them as control characters.
        text = "".join(_BYTES[byte] for byte in body)
    return Decoded(text, _LABELS.get(encoding, encoding), by, text.count("\ufffd"))


_BYTES = [bytes([byte]).decode("cp1252", errors="ignore") or chr(byte) for byte in range(256)]
_LABELS = {"cp1252": "windows-1252"}
