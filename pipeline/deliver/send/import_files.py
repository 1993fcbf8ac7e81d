"""Waiting records -> the files that could carry them, each of one header; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.connectif.csvfile import Row, contact_row, coupon_row, product_row
from pipeline.deliver.state.commands import AddCoupon, Command, PutContact, PutProduct, Unchanged
from pipeline.deliver.state.entry import Entry, Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.states import ContactState, CouponState
from pipeline.records import RecordKind


@dataclass(frozen=True, slots=True)
class FileGroup:
    """What the rows of one file share."""

    header: Row
    coupon_set_id: str | None = None


@dataclass(slots=True)
class Sorted:
    """The ids by what is done with them.

    Attributes:
        groups: rows by file, each with its id.
        singly: ids whose record no file can carry exactly.
        asked: ids of people of whom Connectif is to be asked first whether they have withdrawn.
        unchanged: records of which there is nothing to send, with the reason.
        gone: ids without a record by now.
    """

    groups: dict[FileGroup, list[tuple[str, Row]]] = field(default_factory=dict)
    singly: list[str] = field(default_factory=list)
    unchanged: list[tuple[Key, Waiting, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def add(
        self,
        kind: RecordKind,
        ids: Sequence[str],
        entries: Sequence[Entry],
        diff: Callable[[Key, Waiting], Command | None],
    ) -> None:
        """Sort more ids, with their entries; `diff` gives None where Connectif is to be asked first."""
        for record_id, entry in zip(ids, entries, strict=True):
            waiting = entry.current
            if waiting is None:
                self.gone.append(record_id)
                continue
            key = Key(kind, record_id)
            command = diff(key, waiting)
            if command is None:
                self.asked.append(record_id)
                continue
            if isinstance(command, Unchanged):
                self.unchanged.append((key, waiting, command.reason))
                continue
            found = _row(key, waiting, command)
            if found is None:
                self.singly.append(record_id)
            else:
                self.groups.setdefault(found[0], []).append((record_id, found[1]))

    def largest(self) -> FileGroup | None:
        """The group with the most rows."""
        return max(self.groups, key=lambda group: (len(self.groups[group]), group.header), default=None)


def _row(key: Key, waiting: Waiting, command: Command) -> tuple[FileGroup, Row] | None:
    state = waiting.state
    found: tuple[Row, Row] | None = None
    if isinstance(command, PutContact) and isinstance(state, ContactState) and not command.delete_first:
        found = contact_row(key.id, state.by_email, command.fields or {})
    elif isinstance(command, PutProduct):
        found = product_row(key.id, command.fields)
    elif isinstance(command, AddCoupon) and isinstance(state, CouponState):
        header, cells = coupon_row(state.code)
        return FileGroup(header, state.coupon_set_id), cells
    return None if found is None else (FileGroup(found[0]), found[1])
