"""/exports: contacts, activities and reports as ZIP."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.file_links import FileLink, make_link
from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ZIP, ApiResponse, json_response
from pipeline.sandbox.connectif.jobs import export_files
from pipeline.sandbox.connectif.jobs.exports import ExportJob
from pipeline.sandbox.connectif.model.api_errors import Violation, not_found, unprocessable
from pipeline.sandbox.connectif.model.field_types import (
    DATE_TIME,
    TEXT,
    TEXTS,
    FieldType,
    is_object_id,
    one_of,
    parse_timestamp,
    split_commas,
    violations,
)

MAX_SPAN = 31 * 86_400
_FILTERS: dict[str, FieldType] = {
    "fromDate": DATE_TIME,
    "toDate": DATE_TIME,
    "activityTypes": TEXTS,
    "segmentId": TEXT,
}
_REPORT_FILTERS: dict[str, FieldType] = {"reportId": TEXT, "fromDate": DATE_TIME, "toDate": DATE_TIME}
_REQUEST: dict[str, FieldType] = {
    "exportType": one_of("contacts", "activities"),
    "delimiter": one_of(",", ";"),
    "dateFormat": one_of("ISO", "L", "LL", "LLL"),
    "filters": FieldType(lambda value: isinstance(value, dict), str),
    "version": one_of("v1", "v2", "v3", "v4", "v5", "v6"),
}
_REPORT_REQUEST = {**_REQUEST, "exportType": one_of("data-explorer")}


def create(request: ApiRequest) -> ApiResponse:
    """POST /exports/."""
    body = request.document(strictly_json=True)
    wrong = violations(body, _REQUEST, required=("exportType", "delimiter", "dateFormat"))
    filters = body.get("filters", {})
    activities = body.get("exportType") == "activities"
    span = None
    if not wrong:
        dates = ("fromDate", "toDate") if activities else ()
        wrong = _filter_violations(request, filters, _FILTERS, dates)
        wrong += _segment_violations(request, filters)
    if not wrong and activities:
        span, wrong = _span(filters)
    if wrong:
        raise unprocessable(wrong)
    name = f"export-{body['exportType']}-{_uuid(request)}"
    return _created(request, body["exportType"], body, name, span)


def create_report(request: ApiRequest) -> ApiResponse:
    """POST /exports/type/data-explorer: the one report there is, purchases by day."""
    body = request.document(strictly_json=True)
    wrong = violations(body, _REPORT_REQUEST, required=("delimiter", "filters"))
    span = None
    if not wrong:
        wrong = _filter_violations(
            request, body["filters"], _REPORT_FILTERS, ("reportId", "fromDate", "toDate")
        )
        report_id = body["filters"].get("reportId")
        if isinstance(report_id, str) and not is_object_id(report_id):
            wrong.append(Violation("reportId", "/filters/reportId"))
    if not wrong:
        span, wrong = _span(body["filters"], whole_days=True)
    if wrong or span is None:
        raise unprocessable(wrong)
    first, last = (datetime.fromtimestamp(at, UTC) for at in (span[0], span[1] - 1))
    name = f"Purchases-{first:%Y%m%d}-{last:%Y%m%d}-{_uuid(request)}"
    return _created(request, "data-explorer", body, name, span)


def get(request: ApiRequest) -> ApiResponse:
    """GET /exports/{id}."""
    return json_response(_to_json(request, _find(request)))


def get_all(request: ApiRequest) -> ApiResponse:
    """GET /exports/."""
    page = request.page(request.account.exports.newest_first(), "/exports/")
    page["results"] = [_to_json(request, job) for job in page["results"]]
    return json_response(page)


def delete(request: ApiRequest) -> ApiResponse:
    """DELETE /exports/{id}."""
    request.account.exports.delete(_find(request))
    return NO_CONTENT


def download(account: SimulatedAccount, export_id: str) -> ApiResponse:
    """The ZIP behind an export's link."""
    job = account.exports.find(export_id)
    if job is None:
        raise not_found("File")
    disposition = f'attachment; filename="{job.file_name}.zip"'.encode()
    file = export_files.build_zip(account.data, job)
    return ApiResponse(200, content_type=ZIP, headers=((b"content-disposition", disposition),), file=file)


def _find(request: ApiRequest) -> ExportJob:
    job = request.account.exports.find(request.connectif_id())
    if job is None:
        raise not_found("Export")
    return job


def _created(
    request: ApiRequest, kind: str, body: Mapping[str, Any], name: str, span: tuple[float, float] | None
) -> ApiResponse:
    failing = request.fault is not None and request.fault.rule.effect == "export_error"
    rows = request.fault.rule.rows if request.fault is not None and failing else None
    job = request.account.exports.create(kind, body, name, request.now, span, fails_after=rows)
    return json_response(_to_json(request, job), 201)


def _to_json(request: ApiRequest, job: ExportJob) -> dict[str, Any]:
    over = request.now >= job.ends
    if over and job.total is None:
        job.total = export_files.count_rows(request.account.data, job)
    url = None
    if job.status(request.now) == "finished":
        link = FileLink(request.account.name, "export", job.id, f"{job.file_name}.zip")
        expired = request.fault is not None and request.fault.rule.effect == "expired_url"
        url = make_link(request.account, link, request.base_url, request.now, expired=expired)
    return job.to_json(request.now, job.total or 0, url)


def _filter_violations(
    request: ApiRequest, filters: Mapping[str, Any], known: Mapping[str, FieldType], required: tuple[str, ...]
) -> list[Violation]:
    refuse_unknown = request.behaviour.unknown_export_filters == "refuse"
    return violations(
        filters,
        known,
        required=required,
        refuse_unknown=refuse_unknown,
        allow_null=True,
        at="/filters",
    )


def _segment_violations(request: ApiRequest, filters: Mapping[str, Any]) -> list[Violation]:
    segment = filters.get("segmentId")
    if not isinstance(segment, str):
        return []
    known = split_commas(request.behaviour.segments)
    good = segment in known if known else is_object_id(segment)
    return [] if good else [Violation("segmentId", "/filters/segmentId")]


def _span(
    filters: Mapping[str, Any], *, whole_days: bool = False
) -> tuple[tuple[float, float] | None, list[Violation]]:
    """The time between the two dates, 31 days at most; reports take the last day whole."""
    after, before = parse_timestamp(filters["fromDate"]), parse_timestamp(filters["toDate"])
    if before < after:
        return None, [Violation("toDate", "/filters/toDate", "Value is before fromDate")]
    if before - after > MAX_SPAN:
        return None, [Violation("toDate", "/filters/toDate", "At most 31 days can be exported")]
    return (after, before + (86_400 if whole_days else 0)), []


def _uuid(request: ApiRequest) -> uuid.UUID:
    return uuid.UUID(bytes=request.account.simulation.random.randbytes(16), version=4)
