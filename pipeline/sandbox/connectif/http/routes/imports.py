"""/imports: CSV files in, progress and error reports out."""

from __future__ import annotations

from starlette.datastructures import UploadFile

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.file_links import FileLink, make_link
from pipeline.sandbox.connectif.http.request import Call, Form
from pipeline.sandbox.connectif.http.responses import (
    CSV,
    NO_CONTENT,
    Answer,
    Refusal,
    Violation,
    absent,
    ok,
    refuse,
    unprocessable,
)
from pipeline.sandbox.connectif.jobs.imports import Import, Options

_TYPES = ("contacts", "products", "coupons")


def create(call: Call) -> Answer:
    """POST /imports/."""
    form = call.form
    if form is None:
        raise refuse(415, "Content type is not multipart/form-data.")
    try:
        options, upload = _asked(call, form)
        call.account.imports.check_queue()
    except Refusal:
        if form.file is not None:
            form.file.file.close()
        raise
    effect = call.strike.rule.effect if call.strike is not None else ""
    strike = call.strike if effect.startswith("import_") else None
    one = call.account.imports.create(options, upload.file, call.now, strike)
    return ok(_shown(call, one), 201)


def get(call: Call) -> Answer:
    """GET /imports/{id}."""
    return ok(_shown(call, _find(call)))


def get_all(call: Call) -> Answer:
    """GET /imports/."""
    everything = call.account.imports.newest_first()
    page = call.page(everything, "/imports/")
    page["results"] = [_shown(call, one) for one in page["results"]]
    return ok(page)


def delete(call: Call) -> Answer:
    """DELETE /imports/{id}: only what is over."""
    return call.account.imports.delete(_find(call)) or NO_CONTENT


def report(account: Account, import_id: str) -> Answer:
    """The error report behind an import's link."""
    one = account.imports.find(import_id)
    if one is None or one.report is None:
        raise absent("File")
    return Answer(200, content_type=CSV, file=one.report.copy())


def _find(call: Call) -> Import:
    one = call.account.imports.find(call.connectif_id())
    if one is None:
        raise absent("Import")
    return one


def _asked(call: Call, form: Form) -> tuple[Options, UploadFile]:
    texts, switches = form.texts, call.switches
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
    if only_empty == "true" and override == "false" and switches.only_empty_needs_override:
        wrong.append(Violation("updateOnlyEmptyFields", "/updateOnlyEmptyFields", "Needs overrideExisting"))
    set_id = texts.get("couponSetId")
    if kind == "coupons":
        coupon_set = call.account.coupon_sets.find(set_id or "")
        if coupon_set is None or coupon_set.seed.type != "multiple":
            wrong.append(Violation("couponSetId", "/couponSetId"))
    upload = form.file
    if upload is None:
        wrong.append(Violation("file", "/file", "Value is required"))
    elif switches.csv_part_required and not (upload.content_type or "").startswith("text/csv"):
        wrong.append(Violation("file", "/file", "Content type is not text/csv"))
    if wrong or upload is None:
        raise unprocessable(wrong)
    return Options(kind, delimiter, override == "true", only_empty == "true", set_id or None), upload


def _shown(call: Call, one: Import) -> dict[str, object]:
    url = None
    if one.report is not None:
        link = FileLink(call.account.name, "import", one.id, "error-report.csv")
        expired = call.strike is not None and call.strike.rule.effect == "expired_url"
        url = make_link(call.account, link, call.base_url, call.now, expired=expired)
    return one.shown(url)
