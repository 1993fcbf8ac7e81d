"""`pipeline coupons add` asks whether there is such a set before it gives codes to it."""

from __future__ import annotations

import contextlib
import csv
import http.server
import io
import json
import threading
from collections.abc import Iterator

import pytest

from pipeline import config
from pipeline.config import Settings
from pipeline.coupons import known
from pipeline.coupons.add import CouponTarget
from pipeline.errors import PipelineError
from pipeline.text import in_a_cell

TO = CouponTarget("acme", "sprng")


@contextlib.contextmanager
def connectif(status: int, body: bytes) -> Iterator[Settings]:
    """Settings of an account whose Connectif gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        account = {
            "api_key": "id:secret",
            "base_url": f"http://127.0.0.1:{server.server_port}",
            "coupons": {"spring": {"set_id": "60723", "low": 1}},
        }
        try:
            yield config.parse({"accounts": {"acme": account}}, {})
        finally:
            server.shutdown()
            thread.join()


def test_a_set_that_does_not_exist_is_said_and_nothing_is_added() -> None:
    body = json.dumps({"title": "Not Found", "status": 404, "detail": "Coupon set not found."}).encode()
    with (
        connectif(404, body) as settings,
        pytest.raises(PipelineError, match="Connectif has no coupon set sprng in this account") as caught,
    ):
        known.doubt(settings, TO)
    assert "one of the settings (spring)" in str(caught.value)


def test_a_set_that_exists_leaves_no_doubt() -> None:
    body = json.dumps({"id": "sprng", "name": "Spring", "type": "multiple", "available": 3}).encode()
    with connectif(200, body) as settings:
        assert known.doubt(settings, TO) == ""


def test_where_connectif_cannot_be_asked_codes_are_taken_with_a_warning() -> None:
    with connectif(503, b"") as settings:
        assert "could not be asked whether it has the set sprng" in known.doubt(settings, TO)
    assert "become dead letters" in known.doubt(settings, TO), "nobody listens any more"


@pytest.mark.parametrize(
    "text", ["=cmd|'/C calc'!A0", "+1", "-10OFF", "@SUM(A1)", "\t=1", "\r=1", " =1", "\ufeff=1"]
)
def test_no_code_is_a_formula_to_a_spreadsheet(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([in_a_cell(text)])
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert row == [f"'{text}"]


@pytest.mark.parametrize("text", ["SUMMER-10", "10%=", "", None, "#1001", "2026-11-29"])
def test_other_codes_stay_as_they_are(text: str | None) -> None:
    assert in_a_cell(text) == text
