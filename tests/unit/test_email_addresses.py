"""Which addresses can be: what the library says, but for the dots that are in use all the same."""

from __future__ import annotations

import re

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shops.base import Rejected
from pipeline.shops.values import _PLAIN_EMAIL, belongs_to_nobody, email

pieces = st.text("ab9.-_+@", max_size=70)
domains = st.sampled_from(
    ["@shop.com", "@a-b.es", "@x.co.uk", "@a--b.de", "@-a.com", "@a.test", "@local", "@a..fr"]
)


@given(
    st.builds(lambda local, domain: local + domain, pieces, domains)
    | st.from_regex(_PLAIN_EMAIL, fullmatch=True)
)
def test_whatever_is_taken_the_library_takes_too_once_its_dots_are_in_order(address: str) -> None:
    try:
        taken = email(address)
    except Rejected:
        return
    local, _, domain = address.strip().rpartition("@")
    regular = re.sub(r"\.+", ".", local).strip(".")
    validate_email(f"{regular}@{domain}", check_deliverability=False, test_environment=True)
    assert taken == f"{local}@{domain}".lower()


@pytest.mark.parametrize(
    "address", ["a..b@docomo.ne.jp", "a.@ezweb.ne.jp", ".a@docomo.ne.jp", "a...b.@softbank.ne.jp"]
)
def test_dots_that_carriers_gave_out_stay_as_they_are(address: str) -> None:
    assert email(f" {address.upper()}") == address


@pytest.mark.parametrize(
    "address", ["..@docomo.ne.jp", "a..b@docomo", f"{'a.' * 32}.@x.com", f"a..b@{'c' * 60}.{'d.' * 100}com"]
)
def test_odd_dots_excuse_nothing_else(address: str) -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        email(address)


@pytest.mark.parametrize("address", ["deleted@site.invalid", " X@Shop.INVALID ", "a@invalid", "a@b.invalid."])
def test_an_address_under_the_reserved_domain_belongs_to_nobody(address: str) -> None:
    assert belongs_to_nobody(address)


@pytest.mark.parametrize("address", [None, "ana@mail.example", "ana@invalid.example", "ana.invalid@shop.com"])
def test_an_address_elsewhere_may_be_somebodys(address: str | None) -> None:
    assert not belongs_to_nobody(address)


@pytest.mark.parametrize("address", ["", "a", "a@", "@b.com", "a b@c.com", "a@b", f"a@{'b.' * 150}com"])
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        email(address)


def test_case_and_blanks_do_not_make_another_person() -> None:
    assert email("  Ada.Example+shop@Example.COM ") == "ada.example+shop@example.com"
