"""/exports: contacts, activities and reports as ZIP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.file_links import FileLink, make_link
from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import (
    NO_CONTENT,
    ZIP,
    Answer,
    Violation,
    absent,
    ok,
    unprocessable,
)
from pipeline.sandbox.connectif.jobs import export_files
from pipeline.sandbox.connectif.jobs.exports import Export
from pipeline.sandbox.connectif.model.field_types import (
    DATE_TIME,
    TEXT,
    TEXTS,
    Kind,
    is_object_id,
    moment,
    names,
    one_of,
    violations,
)

MAX_SPAN = 31 * 86_400
_FILTERS: dict[str, Kind] = {
    "fromDate": DATE_TIME,
    "toDate": DATE_TIME,
    "activityTypes": TEXTS,
    "segmentId": TEXT,
}
_REPORT_FILTERS: dict[str, Kind] = {"reportId": TEXT, "fromDate": DATE_TIME, "toDate": DATE_TIME}
_REQUEST: dict[str, Kind] = {
    "exportType": one_of("contacts", "activities"),
    "delimiter": one_of(",", ";"),
    "dateFormat": one_of("ISO", "L", "LL", "LLL"),
    "filters": Kind(lambda value: isinstance(value, dict), str),
    "version": one_of("v1", "v2", "v3", "v4", "v5", "v6"),
}
_REPORT_REQUEST = {**_REQUEST, "exportType": one_of("data-explorer")}


def create(call: Call) -> Answer:
    """POST /exports/."""
    body = call.document(strictly_json=True)
    wrong = violations(body, _REQUEST, required=("exportType", "delimiter", "dateFormat"))
    filters = body.get("filters", {})
    activities = body.get("exportType") == "activities"
    span = None
    if not wrong:
        dates = ("fromDate", "toDate") if activities else ()
        wrong = _filter_violations(call, filters, _FILTERS, dates)
        wrong += _segment_violations(call, filters)
    if not wrong and activities:
        span, wrong = _span(filters)
    if wrong:
        raise unprocessable(wrong)
    name = f"export-{body['exportType']}-{_uuid(call)}"
    return _created(call, body["exportType"], body, name, span)


def create_report(call: Call) -> Answer:
    """POST /exports/type/data-explorer: the one report there is, purchases by day."""
    body = call.document(strictly_json=True)
    wrong = violations(body, _REPORT_REQUEST, required=("delimiter", "filters"))
    span = None
    if not wrong:
        wrong = _filter_violations(call, body["filters"], _REPORT_FILTERS, ("reportId", "fromDate", "toDate"))
        report_id = body["filters"].get("reportId")
        if isinstance(report_id, str) and not is_object_id(report_id):
            wrong.append(Violation("reportId", "/filters/reportId"))
    if not wrong:
        span, wrong = _span(body["filters"], whole_days=True)
    if wrong or span is None:
        raise unprocessable(wrong)
    first, last = (datetime.fromtimestamp(at, UTC) for at in (span[0], span[1] - 1))
    name = f"Purchases-{first:%Y%m%d}-{last:%Y%m%d}-{_uuid(call)}"
    return _created(call, "data-explorer", body, name, span)


def get(call: Call) -> Answer:
    """GET /exports/{id}."""
    return ok(_shown(call, _find(call)))


def get_all(call: Call) -> Answer:
    """GET /exports/."""
    page = call.page(call.account.exports.newest_first(), "/exports/")
    page["results"] = [_shown(call, one) for one in page["results"]]
    return ok(page)


def delete(call: Call) -> Answer:
    """DELETE /exports/{id}."""
    call.account.exports.delete(_find(call))
    return NO_CONTENT


def download(account: Account, export_id: str) -> Answer:
    """The ZIP behind an export's link."""
    one = account.exports.find(export_id)
    if one is None:
        raise absent("File")
    disposition = f'attachment; filename="{one.file_name}.zip"'.encode()
    file = export_files.build(account, one)
    return Answer(200, content_type=ZIP, headers=((b"content-disposition", disposition),), file=file)


def _find(call: Call) -> Export:
    one = call.account.exports.find(call.connectif_id())
    if one is None:
        raise absent("Export")
    return one


def _created(
    call: Call, kind: str, body: Mapping[str, Any], name: str, span: tuple[float, float] | None
) -> Answer:
    failing = call.strike is not None and call.strike.rule.effect == "export_error"
    rows = call.strike.rule.rows if call.strike is not None and failing else None
    one = call.account.exports.create(kind, body, name, call.now, span, fails_after=rows)
    return ok(_shown(call, one), 201)


def _shown(call: Call, one: Export) -> dict[str, Any]:
    over = call.now >= one.ends
    if over and one.total is None:
        one.total = export_files.total(call.account, one)
    url = None
    if one.status(call.now) == "finished":
        link = FileLink(call.account.name, "export", one.id, f"{one.file_name}.zip")
        expired = call.strike is not None and call.strike.rule.effect == "expired_url"
        url = make_link(call.account, link, call.base_url, call.now, expired=expired)
    return one.shown(call.now, one.total or 0, url)


def _filter_violations(
    call: Call, filters: Mapping[str, Any], known: Mapping[str, Kind], required: tuple[str, ...]
) -> list[Violation]:
    refuse_unknown = call.switches.unknown_export_filters == "refuse"
    return violations(
        filters,
        known,
        required=required,
        refuse_unknown=refuse_unknown,
        allow_null=True,
        at="/filters",
    )


def _segment_violations(call: Call, filters: Mapping[str, Any]) -> list[Violation]:
    segment = filters.get("segmentId")
    if not isinstance(segment, str):
        return []
    known = names(call.switches.segments)
    good = segment in known if known else is_object_id(segment)
    return [] if good else [Violation("segmentId", "/filters/segmentId")]


def _span(
    filters: Mapping[str, Any], *, whole_days: bool = False
) -> tuple[tuple[float, float] | None, list[Violation]]:
    """The time between the two dates, 31 days at most; reports take the last day whole."""
    after, before = moment(filters["fromDate"]), moment(filters["toDate"])
    if before < after:
        return None, [Violation("toDate", "/filters/toDate", "Value is before fromDate")]
    if before - after > MAX_SPAN:
        return None, [Violation("toDate", "/filters/toDate", "At most 31 days can be exported")]
    return (after, before + (86_400 if whole_days else 0)), []


def _uuid(call: Call) -> uuid.UUID:
    return uuid.UUID(bytes=call.account.world.random.randbytes(16), version=4)
