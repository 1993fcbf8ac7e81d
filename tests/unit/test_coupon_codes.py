"""Codes as people hand them over, and the export of those that were used."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import config
from pipeline.cli import app
from pipeline.config import Settings
from pipeline.coupons.add import CouponTarget, records, target
from pipeline.coupons.codes import MAX_CODE, CodeFinding, read_file, read_message
from pipeline.coupons.used import used
from pipeline.errors import SettingsError
from pipeline.records import CouponUse, Source


def codes(text: str | bytes) -> list[str]:
    checked = read_file(text.encode() if isinstance(text, str) else text)
    assert not checked.bad, checked.bad
    return list(checked.codes)


def bad(text: str | bytes) -> list[CodeFinding]:
    return list(read_file(text.encode() if isinstance(text, str) else text).bad)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A\nB\n", ["A", "B"]),
        ("A\r\nB\r\n", ["A", "B"]),
        ("A\nB", ["A", "B"]),
        ("\ufeffA\n", ["A"]),
        ("  A  \n10 OFF\n", ["A", "10 OFF"]),
        ("code\nA\nB\n", ["A", "B"]),
        ("\ufeffCode\nA\n", ["A"]),
        ("id,code,used\n1,A,no\n2,B,no\n", ["A", "B"]),
        ('id;code\r\n1;"A;1"\r\n', ["A;1"]),
        ("id\tcode\n1\tA\n", ["A"]),
        ("code,\nA,\n", ["A"]),
        ("", []),
        ("code\n", []),
    ],
)
def test_codes_come_one_a_line_or_in_a_column(text: str, found: list[str]) -> None:
    assert codes(text) == found


def test_empty_lines_and_repeats_are_left_out_and_named() -> None:
    checked = read_file(b"A\n\nB\n A\n\n")
    assert checked.codes == ("A", "B")
    assert checked.left_out == (
        CodeFinding("line 2", "empty"),
        CodeFinding("line 4", "the same as line 1"),
        CodeFinding("line 5", "empty"),
    )


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("A\n" + "x" * (MAX_CODE + 1), CodeFinding("line 2", "longer than 255 characters")),
        ("A\nB\x07\n", CodeFinding("line 2", "contains control characters")),
        ("A\nB\x00C\n", CodeFinding("line 2", "contains control characters")),
        ("A\nB\u2028C\n", CodeFinding("line 2", "contains control characters")),
        (b"A\nB\n\xff\n", CodeFinding("line 3", "is not UTF-8 text")),
        ("id;code\n1;A\n2\n", CodeFinding("line 3", "has no column `code`")),
    ],
)
def test_what_cannot_be_a_code_is_named_by_its_line(text: str | bytes, finding: CodeFinding) -> None:
    assert bad(text) == [finding]


def test_a_file_of_columns_without_a_header_is_no_list_of_codes() -> None:
    found = bad("1,A\n2,B\n")
    assert [finding.place for finding in found] == ["line 1", "line 2"]


@given(
    st.lists(
        st.text(max_size=300).filter(lambda text: "\n" not in text and "code" not in text.casefold()),
        min_size=1,
        max_size=20,
    )
)
def test_every_line_is_a_code_or_is_named(lines: list[str]) -> None:
    checked = read_file("".join(f"{line}\n" for line in lines).encode())
    assert len(checked.codes) + len(checked.left_out) + len(checked.bad) == len(lines)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"A", "A"),
        (b'{"code": "A", "campaign": 7}', "A"),
        (b'{"code": 7}', None),
        (b'{"coupon": "A"}', None),
        (b'{"code"', None),
        (b"\xff", None),
        (b"", ""),
    ],
)
def test_a_message_is_a_code_or_an_object_with_one(value: bytes, code: str | None) -> None:
    assert read_message(value) == code


# To where.

SETTINGS: dict[str, Any] = {
    "accounts": {
        "acme": {
            "api_key": "acme:secret",
            "base_url": "http://localhost",
            "coupons": {"spring": {"set_id": "6072374b4d3ceb76e44d4323", "low": 5}},
        }
    }
}


def settings() -> Settings:
    return config.parse(SETTINGS, {})


@pytest.mark.parametrize(
    ("coupon_set", "meant"),
    [
        ("spring", CouponTarget("acme", "6072374b4d3ceb76e44d4323", "spring")),
        ("6072374b4d3ceb76e44d4323", CouponTarget("acme", "6072374b4d3ceb76e44d4323", "spring")),
        ("61fa54f238319b3bf1990fdc", CouponTarget("acme", "61fa54f238319b3bf1990fdc")),
    ],
)
def test_a_set_is_named_by_the_settings_or_by_its_id(coupon_set: str, meant: CouponTarget) -> None:
    assert target(settings(), "acme", coupon_set) == meant


@pytest.mark.parametrize(("account", "coupon_set"), [("other", "spring"), ("acme", "a/b"), ("acme", "")])
def test_what_is_neither_is_refused(account: str, coupon_set: str) -> None:
    with pytest.raises(SettingsError):
        target(settings(), account, coupon_set)


def test_the_same_codes_make_the_same_keys_whenever_they_are_added() -> None:
    to = CouponTarget("acme", "s1")
    first, second = (list(records(to, ["A", "B/1"], now_ms)) for now_ms in (1, 2))
    assert [record.id for record in first] == [record.id for record in second] == ["s1/A", "s1/B/1"]
    assert [record.body.code for record in first] == ["A", "B/1"]


def test_one_set_cannot_be_watched_twice() -> None:
    account = SETTINGS["accounts"]["acme"]
    twice = {"one": account["coupons"]["spring"], "two": account["coupons"]["spring"]}
    with pytest.raises(SettingsError, match="same set_id"):
        config.parse({"accounts": {"acme": account | {"coupons": twice}}}, {})


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('[accounts.acme]\napi_key = "a:b"\nbase_url = "http://localhost"\n')
    run = CliRunner().invoke(
        app,
        ["coupons", "add", "--account", "acme", "--set", "s1", str(tmp_path / "no"), "--config", str(path)],
    )
    assert "No such file" in str(run.exception)


# What was used.


def use(code: str, order: str = "1", version: int = 1, **changes: Any) -> CouponUse:
    day = changes.pop("day", "2026-03-01")
    known: dict[str, Any] = {
        "account": "acme",
        "store": "shop",
        "used": True,
        "source": Source(topic="shop.orders", partition=0, offset=version),
        "received_ms": version,
        "purchase_date": f"{day}T10:00:00Z",
    }
    return CouponUse(code=code, purchase_id=order, version=version, **(known | changes))


def shown(*uses: CouponUse, **how: Any) -> list[tuple[str, str]]:
    return [(found.code, found.purchase_id) for found in used(uses, "acme", **how)]


def test_each_code_is_shown_once_an_order_the_oldest_first() -> None:
    assert shown(use("A", "2", day="2026-03-02"), use("A"), use("A"), use("B")) == [
        ("A", "1"),
        ("B", "1"),
        ("A", "2"),
    ]


def test_what_was_taken_back_is_not_shown_whatever_the_order_of_messages() -> None:
    back = use("A", version=2, used=False, purchase_date=None)
    assert shown(use("A"), back) == shown(back, use("A")) == []
    assert shown(use("A"), back, use("A", version=3)) == [("A", "1")]


def test_other_accounts_and_older_orders_are_left_out() -> None:
    uses = (use("A"), use("B", "2", day="2026-03-05"), use("C", "3", account="other"))
    assert shown(*uses, since=date(2026, 3, 2)) == [("B", "2")]
    assert shown(*uses, since=date(2026, 3, 1)) == [("A", "1"), ("B", "2")]
