"""The certificate of the public address is looked at as a shop would; what is wrong is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from pipeline.certificates import NotAccepted, end_of
from pipeline.gateway.certificate import CertificateWatch, watch_of
from pipeline.local.ports import free_port
from pipeline.metrics import GATEWAY_CERTIFICATE_END, GATEWAY_CERTIFICATE_REFUSED


def answers(*said: float | Exception) -> Callable[[str, int], float]:
    """What the looks bring, one after the other."""
    left = list(said)

    def ask(_host: str, _port: int) -> float:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return ask


def shown(host: str) -> tuple[float, float]:
    return (
        GATEWAY_CERTIFICATE_END.labels(host)._value.get(),
        GATEWAY_CERTIFICATE_REFUSED.labels(host)._value.get(),
    )


async def test_what_a_look_brings_is_exported_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    expired = NotAccepted("certificate has expired")
    ask = answers(5e9, expired, expired, OSError(), OSError(), 6e9, expired)
    watch = CertificateWatch("one.example", 443, ask)
    found = []
    with caplog.at_level(logging.WARNING):
        for _ in range(7):
            await watch.look()
            found.append(shown("one.example"))
    assert found == [(5e9, 0), (5e9, 1), (5e9, 1), (5e9, 1), (5e9, 1), (6e9, 0), (6e9, 1)]
    refused = (
        "the certificate of one.example is refused: certificate has expired; "
        "shops cannot post until it is renewed"
    )
    assert caplog.messages == [
        refused,
        "the certificate of one.example cannot be looked at: OSError",
        refused,
    ]


@pytest.mark.parametrize("url", [None, "", "http://shop.example", "https://"])
def test_an_address_without_a_certificate_is_not_watched(url: str | None) -> None:
    assert watch_of(url) is None


def test_the_port_is_that_of_the_address() -> None:
    watch = watch_of("https://hooks.example:8443/x")
    assert watch is not None
    assert (watch._host, watch._port) == ("hooks.example", 8443)


def test_an_address_that_does_not_answer_is_no_refusal() -> None:
    with pytest.raises(OSError, match="refused"):
        end_of("127.0.0.1", free_port())
