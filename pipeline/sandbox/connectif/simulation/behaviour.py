"""How the API behaves where it is not documented. Each default is the most likely reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SettingsError


class ApiBehaviour(BaseModel):
    """Inferred and unknown points of the API: `switches` in the settings and the control API, `--switch`.

    Durations are the API's own seconds: `speed` divides them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # The limit
    calls_per_minute: int | None = Field(
        None, ge=1, description="limit of every account; none: what the account's settings say"
    )
    window: Literal["fixed", "sliding"] = Field("fixed", description="kind of the limit's minute")
    window_start: Literal["first_call", "aligned"] = Field(
        "first_call", description="a fixed window opens with a call, or stands on the clock's minutes"
    )
    refused_calls_count: bool = Field(False, description="calls answered 429 use up the limit too")
    client_errors_count: bool = Field(True, description="calls answered 4xx use up the limit too")
    rate_headers: Literal["x", "plain", "none"] = Field(
        "x", description="X-RateLimit-* with an epoch Reset, RateLimit-* with seconds from now, or none"
    )
    rate_header_case: Literal["canonical", "lower"] = Field("canonical", description="case of their names")
    reset_fraction: bool = Field(
        False, description="Reset with a fraction: at a high speed a window ends within a second"
    )
    retry_after: bool = Field(False, description="a 429 carries Retry-After")
    limited_body: Literal["text", "empty", "json"] = Field("text", description="body of a 429")

    # Keys
    unauthorised_body: Literal["text", "empty", "json"] = Field("text", description="body of a 401")
    denied_scopes: str = Field("", description="scopes no key has, with commas: purchases:write,imports:read")

    # Bodies
    accept_json_as: Literal["json", "json_or_text", "any"] = Field(
        "json_or_text", description="media types taken for JSON; exports always want application/json"
    )
    malformed_json_status: Literal[400, 422] = Field(400, description="answer to a body that is not JSON")
    array_body_status: Literal[400, 422] = Field(422, description="answer to an array where one is meant")
    unknown_fields: Literal["ignore", "refuse"] = Field(
        "ignore", description="unknown fields of products and purchases"
    )
    unknown_contact_fields: Literal["refuse", "ignore"] = Field(
        "refuse", description="contact fields that are not defined"
    )
    null_values: Literal["refuse", "clear"] = Field("refuse", description="null: an error, or an empty field")
    max_json_bytes: int = Field(5_000_000, ge=1_000, description="a larger JSON body is answered 413")
    custom_event_max_bytes: int = Field(512 * 1024, ge=1, description="a larger custom event is answered 413")
    patch_created_status: Literal[200, 201] = Field(200, description="answer to a PATCH that creates")
    success_bodies: Literal["full", "empty"] = Field(
        "full", description="PATCH of contacts and products and POST of purchases answer what they stored"
    )
    delete_absent_status: Literal[204, 404] = Field(204, description="answer to DELETE of what is not there")
    page_size: int = Field(50, ge=1, description="elements of a list's page")
    max_page_size: int = Field(100, ge=1, description="largest pageSize obeyed")

    # Contacts
    email_case: Literal["lower", "keep"] = Field("lower", description="e-mail addresses are lower-cased")
    duplicate_key_status: Literal[422, 409] = Field(
        422, description="an _externalId or _email that another contact has"
    )

    # Products
    product_required: str = Field(
        "name,productDetailUrl,unitPrice", description="fields a product needs when it is created"
    )
    domain_match: Literal["host", "subdomain", "origin"] = Field(
        "host", description="authorised domains: same host, its subdomains too, or scheme, host and port"
    )

    # Purchases
    purchase_also_required: str = Field(
        "totalQuantity",
        description="fields a purchase needs beside its contact, purchaseId, totalPrice and products; "
        "candidates: cartId, purchaseDate",
    )
    purchase_line_also_required: str = Field(
        "name,productDetailUrl,unitPrice,quantity,price", description="fields its lines need beside productId"
    )
    purchase_created_status: Literal[200, 201] = Field(201, description="answer to a created purchase")
    repetition_checked: Literal["first", "last"] = Field(
        "first", description="409 before or after the contact, the products and their domains are checked"
    )
    purchase_id_match: Literal["exact", "trimmed", "folded"] = Field(
        "exact", description="when two purchase ids are the same: to the letter, less blanks, less case too"
    )
    reuse_deleted_purchase_id: bool = Field(True, description="a deleted purchase's id can be used again")
    missing_products_listed: Literal["all", "first"] = Field("all", description="products named by E0102")
    error_product_ids: Literal["shop", "connectif"] = Field(
        "shop", description="whose product ids E0103 names; E0102's have no Connectif id"
    )
    error_product_ids_field: Literal["productIds", "productsId"] = Field(
        "productIds", description="the field E0103 names them in"
    )
    lines_update_catalogue: bool = Field(False, description="a purchase's lines change the products")

    # Activities
    charge_untriggered_purchases: bool = Field(
        True, description="triggerPurchaseEvent=false still consumes a purchase activity"
    )
    charge_imported_contacts: bool = Field(True, description="contacts made by imports are entity-created")
    activity_allowance: int = Field(0, ge=0, description="activities, then 403; 0: without end")

    # Imports
    max_imports: int = Field(10, ge=1, description="unfinished imports before E0401")
    max_imports_counts: Literal["unfinished", "queued"] = Field(
        "unfinished", description="whether imports in progress count towards it"
    )
    import_parallel: int = Field(1, ge=1, description="imports run at once per account")
    import_queue_seconds: float = Field(2.0, ge=0, description="a fresh import stays queued this long")
    import_rows_per_second: float = Field(2_000.0, gt=0, description="rows an import does")
    import_max_bytes: int = Field(50_000_000, ge=1, description="a larger file is answered 413")
    unusable_file: Literal["import_error", "422"] = Field(
        "import_error", description="not UTF-8, not CSV, no key column: the import fails, or is refused"
    )
    only_empty_needs_override: bool = Field(
        True, description="updateOnlyEmptyFields without overrideExisting is answered 422"
    )
    csv_part_required: bool = Field(False, description="the file's part must say text/csv")
    skipped_rows: Literal["success", "error", "neither"] = Field(
        "success", description="how rows left alone by overrideExisting=false count"
    )
    empty_typed_cell: Literal["error", "skip"] = Field(
        "error", description="empty cells of phones, dates, numbers and radios"
    )
    import_empty_cell: Literal["keep", "clear"] = Field(
        "keep", description="what an empty text cell does to the stored value"
    )
    import_checks_domains: bool = Field(True, description="E0201's rule holds for rows too")
    duplicate_coupon: Literal["error", "success"] = Field("error", description="a code the set already has")
    error_report: Literal["full", "row", "cells"] = Field(
        "full", description="columns of the report: row, error and the cells; row, error; the cells, error"
    )
    delete_unfinished_import_status: Literal[400, 409, 422] = Field(
        409, description="answer to DELETE of an import that is not over"
    )
    store_phone_prefix: str = Field("+34", description="completes imported phones without one")

    # Exports and files
    max_exports: int = Field(5, ge=1, description="unfinished exports before E0301")
    export_queue_seconds: float = Field(2.0, ge=0, description="an export stays queued this long")
    export_in_progress_seconds: float = Field(
        0.0, ge=0, description="then in progress; a known client takes that for a failure"
    )
    unknown_export_filters: Literal["ignore", "refuse"] = Field(
        "ignore", description="undefined filters, such as activityType"
    )
    segments: str = Field("", description="segment ids that exist, with commas; none: every well-formed one")
    export_date_by: Literal["recorded", "purchase"] = Field(
        "recorded", description="the date an activities export filters by"
    )
    export_purchase_id: bool = Field(True, description="activities exports have the shop's purchaseId")
    export_bom: bool = Field(False, description="exported CSV begins with a byte order mark")
    file_minutes: float = Field(100.0, gt=0, description="life of a file's link")
    file_needs_key: bool = Field(False, description="files are answered 401 without the API key")

    # Coupons and callbacks
    coupon_lag_seconds: float = Field(10.0, ge=0, description="age of a coupon set's counters")
    callback_keeps_query: bool = Field(True, description="parameters of the configured URL are kept")
    callback_retries: int = Field(0, ge=0, le=10, description="repeats of a callback that failed")
    callback_timeout: float = Field(10.0, gt=0, description="real seconds until a callback has failed")

    def changed(self, values: Mapping[str, object]) -> Self:
        """A copy with `values`, given as text or as what they mean.

        Raises:
            SettingsError: an unknown switch, or a value it does not take.
        """
        try:
            return self.model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False, include_context=False)
            raise SettingsError(
                "; ".join(f"switch {item['loc'][0]}: {item['msg']}" for item in wrong),
                hint="`pipeline sandbox --list-switches` names them all",
            ) from None
