"""Coupon sets: made in the app (here: by `/_sandbox/coupon-sets`), filled by imports, read by the API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.model.storage import ElementStorage


class CouponSetDefinition(BaseModel):
    """A coupon set to make. A single set has one code and may be used `quantity` times, or without end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    name: str = "Coupons"
    type: Literal["single", "multiple"] = "multiple"
    code: str | None = None
    codes: tuple[str, ...] = ()
    quantity: int | None = Field(None, ge=0)
    assigned: int = Field(0, ge=0)
    workflow_ids: tuple[str, ...] = ()


class CouponSet:
    """A set; its counters are shown as they were up to some seconds ago."""

    def __init__(self, set_id: str, definition: CouponSetDefinition, now: float) -> None:
        self.id = set_id
        self.definition = definition
        self.created = self.updated = now
        self.held = 0
        self._counters = (now, self._quantity(), definition.assigned)

    def to_json(self, now: float, lag: float) -> dict[str, Any]:
        """The set as GET answers it; `lag` is in clock seconds."""
        if now - self._counters[0] >= lag:
            self._counters = (now, self._quantity(), self.definition.assigned)
        _, quantity, assigned = self._counters
        return {
            "id": self.id,
            "name": self.definition.name,
            "type": self.definition.type,
            **({"code": self.definition.code} if self.definition.type == "single" else {}),
            "quantity": quantity,
            "assigned": assigned,
            "available": None if quantity is None else max(0, quantity - assigned),
            "usedInWorkflows": [{"workflowId": workflow} for workflow in self.definition.workflow_ids],
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
        }

    def _quantity(self) -> int | None:
        return self.definition.quantity if self.definition.type == "single" else self.held


class CouponSets:
    """The sets of one account, and the codes of them all."""

    def __init__(self, make_code_id: MakeId, make_set_id: MakeId) -> None:
        self.codes = ElementStorage(make_code_id)
        self._make_id = make_set_id
        self._sets: dict[str, CouponSet] = {}

    def make(self, definition: CouponSetDefinition, now: float) -> CouponSet:
        """Make a set with the codes it begins with."""
        made = CouponSet(self._make_id(len(self._sets), now, 1), definition, now)
        self._sets[made.id] = made
        for code in definition.codes:
            self.add(made, code, now)
        return made

    def find(self, set_id: str) -> CouponSet | None:
        """The set with that id."""
        return self._sets.get(set_id)

    def all(self) -> list[CouponSet]:
        """Every set, the oldest first."""
        return list(self._sets.values())

    def add(self, coupon_set: CouponSet, code: str, now: float) -> bool:
        """Add a code; False where the set has it already."""
        key = f"{coupon_set.id}|{code}"
        known = key in self.codes
        self.codes.put(key, {"couponSetId": coupon_set.id, "code": code}, now)
        if not known:
            coupon_set.held += 1
            coupon_set.updated = now
        return not known
