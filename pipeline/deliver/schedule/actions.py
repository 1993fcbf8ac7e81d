"""What the next call can be for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.deliver.schedule.decision import NO_OTHER, TURN, Decision
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportJob
from pipeline.deliver.state.key import Key
from pipeline.records import RecordKind


@dataclass(frozen=True, slots=True)
class Send:
    """Send one record by calls of its own; its id is in flight."""

    key: Key
    decision: Decision = field(default=TURN, compare=False)


@dataclass(frozen=True, slots=True)
class Import:
    """Send these records by files; their ids are in flight."""

    kind: RecordKind
    batch: ImportBatch
    decision: Decision = field(default=NO_OTHER, compare=False)


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how far an import is."""

    job: ImportJob


@dataclass(frozen=True, slots=True)
class ListImports:
    """Ask which imports are unfinished."""


@dataclass(frozen=True, slots=True)
class CheckCouponSet:
    """Ask how many codes a coupon set has; `name` is the settings'."""

    name: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `until`, or before a record or an answer comes."""

    until: float


Action = Send | Import | Poll | ListImports | CheckCouponSet | Idle
