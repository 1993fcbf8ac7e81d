"""What Connectif refuses of a person, and what can be left out of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.payloads import contact_column
from pipeline.deliver.state.consent import OVERTAKEN, WITHDRAWN

#: Identity and consent: a contact is never sent without them because they were refused; the shop's id is left
#: out only where it is another contact's (`is_anothers_id`).
_NEEDED = frozenset({"newsletter", "external_id"})
_NOTES = {
    "mobile_phone": "phone_refused",
    "birthdate": "birthdate_refused",
    "name": "name_refused",
    "surname": "surname_refused",
    "external_id": "external_id_refused",
}
_CUSTOM = "custom_field_refused"
#: What may be left out in sending a record, as metric labels and on receipts.
NOTES = frozenset({WITHDRAWN, OVERTAKEN, _CUSTOM, *_NOTES.values()})


def refused_fields(answer: Answer, fields: Mapping[str, str]) -> set[str]:
    """The fields that a refusal names, and without which the contact is still the same person."""
    if answer.kind is not AnswerKind.INVALID:
        return set()
    words = answer.detail.casefold()
    return {name for name in fields if name not in _NEEDED and _names(answer, words, name)}


def is_anothers_id(answer: Answer, fields: Mapping[str, str]) -> bool:
    """Whether a contact is refused for its external id, which another contact has."""
    if "external_id" not in fields:
        return False
    if answer.kind is AnswerKind.ALREADY:
        return True
    return answer.kind is AnswerKind.INVALID and _names(answer, answer.detail.casefold(), "external_id")


def notes_of(refused: Iterable[str]) -> tuple[str, ...]:
    """What a receipt says of the fields that were refused."""
    return tuple(sorted({_NOTES.get(name, _CUSTOM) for name in refused}))


def _names(answer: Answer, words: str, name: str) -> bool:
    column = contact_column(name).name
    if answer.fields:
        return column in answer.fields
    return column.casefold() in words or (name == "mobile_phone" and "phone" in words)
