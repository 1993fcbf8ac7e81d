"""The short cut for plain addresses says what the library says, and never more."""

from __future__ import annotations

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shops.base import Rejected
from pipeline.shops.values import _PLAIN_EMAIL, email

pieces = st.text("ab9.-_+@", max_size=70)
domains = st.sampled_from(
    ["@shop.com", "@a-b.es", "@x.co.uk", "@a--b.de", "@-a.com", "@a.test", "@local", "@a..fr"]
)


@given(
    st.builds(lambda local, domain: local + domain, pieces, domains)
    | st.from_regex(_PLAIN_EMAIL, fullmatch=True)
)
def test_whatever_the_short_cut_takes_the_library_takes_too(address: str) -> None:
    try:
        taken = email(address)
    except Rejected:
        return
    checked = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    assert taken == checked.normalized.lower()


@pytest.mark.parametrize("address", ["", "a", "a@", "@b.com", "a b@c.com", "a@b", f"a@{'b.' * 150}com"])
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        email(address)


def test_case_and_blanks_do_not_make_another_person() -> None:
    assert email("  Ada.Example+shop@Example.COM ") == "ada.example+shop@example.com"
