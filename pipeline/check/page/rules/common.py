"""Rules for every tag: numbers, dates, addresses, words of a list, doubles, names that nothing reads."""

from __future__ import annotations

import html
import re

from pipeline.check.page import values
from pipeline.check.page.findings import Findings, figure, quoted
from pipeline.check.page.properties import Property, meant_by
from pipeline.check.page.tags import Tag

#: What becomes of a tag whose required property is not accepted.
DROPPED = {
    "purchase": "the whole purchase is not sent",
    "cart": "the cart is not sent",
    "items": "the line is not sent",
    "product": "the product is not sent",
    "searched": "the product is not sent",
    "search": "the search is not sent",
    "newsletter": "the subscription is not sent",
}
_WRONG = "recorded wrongly, silently"
_NUMBER_FORM = "print digits with a decimal point, without thousands marks and currency: 1067.35"
#: A character that a template escaped once too often.
_ESCAPED_TWICE = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_DATE_FORM = "print 2026-11-22T14:05:12+01:00"
_STRANGE_MAX = 10


def kind_of(tag: Tag) -> str:
    """The first word of a place, or `items` of a line's."""
    return "items" if ".items[" in tag.about else tag.about.partition("[")[0]


def dropped(tag: Tag) -> str:
    """What becomes of it."""
    return DROPPED.get(kind_of(tag), "it is not sent")


def check(tag: Tag, findings: Findings) -> None:
    """All rules that need no more than the tag."""
    for name, known in tag.table.items():
        if known.several:
            continue
        value = tag.values[name]
        if not value.text:
            if known.required:
                _missing(tag, name, findings)
            continue
        _form(tag, name, known, findings)
        if value.others:
            findings.warning(
                f"{tag.about}.{name}",
                "duplicate",
                f"{value.others + 1} elements of class {name} say different things; the first is read",
                hint="print each property once",
            )
    _strange(tag, findings)


def _missing(tag: Tag, name: str, findings: Findings) -> None:
    is_empty = tag.values[name].text is not None
    meant = [strange for strange in tag.strange if name in meant_by(strange, tag.table)]
    hint = f"an element of class {quoted(meant[0])} is not read: name the class {name}" if meant else ""
    findings.error(
        f"{tag.about}.{name}",
        "empty" if is_empty else "missing",
        f"{name} is empty" if is_empty else f"no element of class {name}",
        dropped(tag),
        hint or f"print an element of class {name} with a value inside",
    )


def _form(tag: Tag, name: str, known: Property, findings: Findings) -> None:
    about, text = f"{tag.about}.{name}", tag.text(name)
    match known.type:
        case "decimal":
            number(tag, name, values.decimal_written(text), findings)
        case "integer":
            number(tag, name, values.integer_written(text), findings)
        case "date":
            date(about, text, findings)
        case "moment":
            moment(about, text, findings)
        case "text" if _ESCAPED_TWICE.search(text) and html.unescape(text) != text:
            findings.note(
                about,
                "escaped_twice",
                "is escaped twice: Connectif gets the entity as it stands",
                hint="escape once",
                text=text,
            )


def number(tag: Tag, name: str, written: values.Written, findings: Findings) -> None:
    """A number that is read otherwise than meant, or not at all."""
    about, text, known = f"{tag.about}.{name}", quoted(tag.text(name)), tag.table[name]
    read = tag.number(name)
    if written.how == "unreadable" or read is None:
        effect = dropped(tag) if known.required else "nothing is recorded for it"
        findings.error(about, "unreadable", f"{text} cannot be read", effect, _NUMBER_FORM, text=text)
    elif read < 0:
        effect = dropped(tag) if known.required else "recorded below zero"
        findings.error(about, "negative", f"{text} is below zero", effect, "print 0 or more", text=text)
    elif written.how == "cut":
        said = f"{text} is read as {figure(read)}"
        findings.error(about, "cut", said, _WRONG, _NUMBER_FORM, text=text)
    elif written.how == "decorated":
        said = f"{text} is read as {figure(read)}; only the number is wanted"
        findings.note(about, "decorated", said, hint=_NUMBER_FORM, text=text)
    elif known.type == "decimal" and values.may_be_thousands(text):
        said = f"{text} is read as {figure(read)}: if its point parts thousands, that is wrong"
        findings.note(about, "thousands", said, hint=_NUMBER_FORM, text=text)


def date(about: str, text: str, findings: Findings) -> None:
    """A date that must be ISO 8601."""
    for fault in values.date_faults(text):
        match fault:
            case "not_iso":
                said = f"{quoted(text)} is not ISO 8601"
                effect = "how Connectif reads it is not documented: a wrong date or none"
                findings.error(about, "not_iso", said, effect, _DATE_FORM, text=text)
            case "no_zone":
                said = f"{quoted(text)} has no time zone"
                findings.warning(about, "no_zone", said, "it may be hours off", _DATE_FORM, text=text)
            case "no_time":
                said = f"{quoted(text)} has no time and no zone"
                findings.warning(about, "no_time", said, "it may be a day off", _DATE_FORM, text=text)
            case "basic":
                said = f"{quoted(text)} is the short form of ISO 8601"
                findings.warning(about, "basic", said, "it may not be read", _DATE_FORM, text=text)
            case "blank":
                said = f"{quoted(text)} has a blank where ISO 8601 has T"
                findings.note(about, "blank", said, hint=_DATE_FORM, text=text)


def moment(about: str, text: str, findings: Findings) -> None:
    """A moment: ISO 8601, or Unix time in milliseconds."""
    if values.is_unix_ms(text):
        return
    if values.is_unix_seconds(text):
        said = f"{quoted(text)} is in seconds; read as milliseconds it is a day of January 1970"
        findings.warning(about, "seconds", said, "a wrong date", "print milliseconds, or ISO 8601", text=text)
        return
    date(about, text, findings)


def one_of(about: str, text: str, allowed: tuple[str, ...], findings: Findings, *, folded: bool) -> None:
    """A word of a list."""
    given = text.lower() if folded else text
    if not text or given in {word.lower() if folded else word for word in allowed}:
        return
    *most, last = allowed
    said = (
        f"'{quoted(text)}' is neither {' nor '.join(allowed)}"
        if len(allowed) == 2  # noqa: PLR2004 - either, or
        else f"'{quoted(text)}' is none of {', '.join(most)} and {last}"
    )
    findings.warning(about, "not_listed", said, "Connectif may not take it", text=text)


def address(
    about: str, text: str, domains: tuple[str, ...], findings: Findings, *, encoded: bool, lost: str
) -> None:
    """A web address: whole, on an authorised domain, and for products unencoded."""
    for fault in values.url_faults(text, domains) if text else ():
        match fault:
            case "relative":
                said, hint = f"{quoted(text)} is relative", "print it with https:// and the host"
                findings.warning(about, "relative", said, lost, hint, text=text)
            case "scheme" | "broken":
                said, hint = f"{quoted(text)} is no web address", "print it with https:// and the host"
                findings.warning(about, "no_address", said, lost, hint, text=text)
            case "unauthorised":
                said = f"{quoted(text)} is not on an authorised domain"
                hint = f"authorised are {', '.join(domains[:5])}"
                findings.warning(about, "unauthorised", said, lost, hint, text=text)
            case "encoded" if encoded:
                said = f"{quoted(text)} is percent-encoded; Connectif wants it unencoded"
                effect = "the address may be taken for another product's"
                findings.warning(about, "encoded", said, effect, "print it as people read it", text=text)


def _strange(tag: Tag, findings: Findings) -> None:
    if tag.strange:
        more = len(tag.strange) - _STRANGE_MAX
        names = ", ".join(quoted(name) for name in tag.strange[:_STRANGE_MAX])
        said = f"not read: class {names}" + (f" and {more} more" if more > 0 else "")
        findings.note(tag.about, "not_read", said)
