"""Who is on the page: `cn_client_info`, and the address of a subscription."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from pipeline.check.page import values
from pipeline.check.page.findings import Findings
from pipeline.check.page.rules import common
from pipeline.check.page.tags import Tags

_STATUSES = ("subscribed", "unsubscribed", "none")
_KEY = "primary_key"
_FIELDS = frozenset({"_name", "_surname", "_birthdate", "_newsletter_subscription_status", "tracker_id"})
#: Characters of an address at most, in any standard.
_ADDRESS_MAX = 320
_NOBODY = "without it the purchase goes to a visitor whom Connectif may not know"


def contact(tags: Tags, findings: Findings, *, confirmation: bool) -> None:
    """The first `cn_client_info`."""
    is_private = tags.counts["cn_private_client_info"] > 0
    _count(tags, findings)
    if tags.contact is None:
        if confirmation and not is_private:
            said = "no element of class cn_client_info: the page does not say who bought"
            findings.warning("client_info", "missing", said, _NOBODY, "print the buyer's address in it")
        return
    _key(tags, findings, confirmation=confirmation, private=is_private)
    _lost_fields(tags, findings)
    given = dict(reversed(tags.contact))
    about = "client_info._newsletter_subscription_status"
    status = given.get("_newsletter_subscription_status", "")
    common.one_of(about, status, _STATUSES, findings, folded=False)
    birthdate = given.get("_birthdate", "")
    if birthdate and set(values.date_faults(birthdate)) & {"not_iso", "basic"}:
        said = "is not ISO 8601"
        findings.warning("client_info._birthdate", "not_iso", said, text=birthdate, personal=True)


def _count(tags: Tags, findings: Findings) -> None:
    count = tags.counts["cn_client_info"]
    if count > 1:
        said = f"{count} elements of class cn_client_info: the first is read, the others are ignored"
        findings.warning("client_info", "duplicate", said, "a wrong person may be meant", "print one")


def _lost_fields(tags: Tags, findings: Findings) -> None:
    """The whole class attribute is a field's id: with a second class it is another field."""
    for name, text in tags.contact or ():
        lost = sorted(_FIELDS.intersection(name.split())) if text and name not in _FIELDS else []
        for field in lost:
            said = "the element has further classes or blanks in its class attribute, so it is not read"
            hint = f'write class="{field}" and nothing else'
            findings.warning(f"client_info.{field}", "lost", said, hint=hint)


def primary_key(tags: Tags) -> str | None:
    """What the client reads as the contact's address; None where nothing."""
    for name, text in tags.contact or ():
        if name == _KEY:
            return text or None
    return None


def _key(tags: Tags, findings: Findings, *, confirmation: bool, private: bool) -> None:
    about, key = f"client_info.{_KEY}", primary_key(tags)
    if len({text for name, text in tags.contact or () if name == _KEY}) > 1:
        said = f"several elements of class {_KEY} say different things; the first is read"
        findings.warning(about, "duplicate", said, "a wrong person may be meant", "print one")
    if key is not None:
        if not is_address(key):
            said = "is no e-mail address"
            effect = "Connectif does not know the person by it"
            findings.warning(about, "no_address", said, effect, text=key, personal=True)
        return
    lost = [name for name, text in tags.contact or () if _KEY in name.split() and name != _KEY and text]
    if lost or tags.hidden_key:
        said = (
            "the element has further classes or blanks in its class attribute"
            if lost
            else "the element is not right below cn_client_info"
        )
        hint = 'write class="primary_key" and nothing else, right below cn_client_info'
        findings.error(about, "lost", f"{said}, so it is not read as {_KEY}", _NOBODY, hint)
    elif confirmation and not private:
        findings.warning(about, "missing", f"no {_KEY} with an address", _NOBODY, "print the buyer's address")
    elif not private:
        findings.note(about, "missing", f"no {_KEY}: right for visitors who are not logged in")


def newsletters(tags: Tags, findings: Findings) -> None:
    """All `cn_newsletter_subscribe`."""
    for tag in tags.newsletters:
        common.check(tag, findings)
        text = tag.text("email")
        if text and not is_address(text):
            said = "is no e-mail address"
            about = f"{tag.about}.email"
            findings.warning(about, "no_address", said, "nobody is subscribed", text=text, personal=True)


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address; its host is not looked up."""
    if len(text) > _ADDRESS_MAX:
        return False
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return False
    return True
