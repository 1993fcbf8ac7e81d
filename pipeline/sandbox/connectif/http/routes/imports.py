"""/imports: CSV files in, progress and error reports out."""

from __future__ import annotations

from starlette.datastructures import UploadFile

from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.file_links import FileLink, make_link
from pipeline.sandbox.connectif.http.request import ApiRequest, MultipartForm
from pipeline.sandbox.connectif.http.responses import (
    CSV,
    NO_CONTENT,
    ApiResponse,
    http_error_response,
    json_response,
)
from pipeline.sandbox.connectif.jobs.import_rows import ImportOptions
from pipeline.sandbox.connectif.jobs.imports import SimulatedImport
from pipeline.sandbox.connectif.model.api_errors import ApiError, Violation, not_found, unprocessable

_TYPES = ("contacts", "products", "coupons")


def create(request: ApiRequest) -> ApiResponse:
    """POST /imports/."""
    form = request.form
    if form is None:
        raise ApiError(415, "Content type is not multipart/form-data.")
    try:
        options, upload = _read_form(request, form)
        request.account.imports.check_queue()
    except ApiError:
        if form.file is not None:
            form.file.file.close()
        raise
    effect = request.fault.rule.effect if request.fault is not None else ""
    fault = request.fault if effect.startswith("import_") else None
    job = request.account.imports.create(options, upload.file, request.now, fault)
    return json_response(_to_json(request, job), 201)


def get(request: ApiRequest) -> ApiResponse:
    """GET /imports/{id}."""
    return json_response(_to_json(request, _find(request)))


def get_all(request: ApiRequest) -> ApiResponse:
    """GET /imports/."""
    everything = request.account.imports.newest_first()
    page = request.page(everything, "/imports/")
    page["results"] = [_to_json(request, job) for job in page["results"]]
    return json_response(page)


def delete(request: ApiRequest) -> ApiResponse:
    """DELETE /imports/{id}: only what is over."""
    job, imports = _find(request), request.account.imports
    if not job.can_be_deleted:
        status = request.behaviour.delete_unfinished_import_status
        return http_error_response(status, f"Import {job.id} is {job.status}: it cannot be deleted.")
    imports.delete(job)
    return NO_CONTENT


def report(account: SimulatedAccount, import_id: str) -> ApiResponse:
    """The error report behind an import's link."""
    job = account.imports.find(import_id)
    if job is None or job.report is None:
        raise not_found("File")
    return ApiResponse(200, content_type=CSV, file=job.report.copy())


def _find(request: ApiRequest) -> SimulatedImport:
    job = request.account.imports.find(request.connectif_id())
    if job is None:
        raise not_found("Import")
    return job


def _read_form(request: ApiRequest, form: MultipartForm) -> tuple[ImportOptions, UploadFile]:
    texts, behaviour = form.texts, request.behaviour
    wrong: list[Violation] = []

    def choice(name: str, *allowed: str) -> str:
        value = texts.get(name)
        if value is None:
            wrong.append(Violation(name, f"/{name}", "Value is required"))
        elif value not in allowed:
            wrong.append(Violation(name, f"/{name}"))
        return value or ""

    kind = choice("type", *_TYPES)
    delimiter = choice("delimiter", ",", ";")
    override = choice("overrideExisting", "true", "false")
    only_empty = choice("updateOnlyEmptyFields", "true", "false")
    if only_empty == "true" and override == "false" and behaviour.only_empty_needs_override:
        wrong.append(Violation("updateOnlyEmptyFields", "/updateOnlyEmptyFields", "Needs overrideExisting"))
    set_id = texts.get("couponSetId")
    if kind == "coupons":
        coupon_set = request.account.data.coupon_sets.find(set_id or "")
        if coupon_set is None or coupon_set.definition.type != "multiple":
            wrong.append(Violation("couponSetId", "/couponSetId"))
    upload = form.file
    if upload is None:
        wrong.append(Violation("file", "/file", "Value is required"))
    elif behaviour.csv_part_required and not (upload.content_type or "").startswith("text/csv"):
        wrong.append(Violation("file", "/file", "Content type is not text/csv"))
    if wrong or upload is None:
        raise unprocessable(wrong)
    return ImportOptions(kind, delimiter, override == "true", only_empty == "true", set_id or None), upload


def _to_json(request: ApiRequest, job: SimulatedImport) -> dict[str, object]:
    url = None
    if job.report is not None:
        link = FileLink(request.account.name, "import", job.id, "error-report.csv")
        expired = request.fault is not None and request.fault.rule.effect == "expired_url"
        url = make_link(request.account, link, request.base_url, request.now, expired=expired)
    return job.to_json(url)
