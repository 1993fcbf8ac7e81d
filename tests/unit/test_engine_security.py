"""One set of security settings serves both Kafka clients of a worker."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from pipeline.engine.faust import security as faust_security
from pipeline.errors import SettingsError
from pipeline.kafka.settings import aiokafka_security


def credentials(security: dict[str, str]) -> CredentialsT | None:
    """What Faust is given for `kafka.security`."""
    return faust_security.credentials(aiokafka_security(("broker:9092",), security))


@pytest.mark.parametrize("security", [{}, {"security.protocol": "PLAINTEXT"}, {"socket.timeout.ms": "1"}])
def test_plain_text_needs_no_credentials(security: dict[str, str]) -> None:
    assert credentials(security) is None


def test_a_name_and_password_over_plain_text() -> None:
    found = credentials(
        {
            "security.protocol": "sasl_plaintext",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "u",
            "sasl.password": "p",
        }
    )
    assert isinstance(found, SASLCredentials)
    assert (found.username, found.password, found.ssl_context) == ("u", "p", None)
    assert found.mechanism.value == "SCRAM-SHA-512"


def test_a_name_and_password_over_tls() -> None:
    found = credentials({"security.protocol": "SASL_SSL", "sasl.username": "u", "sasl.password": "p"})
    assert isinstance(found, SASLCredentials)
    assert found.ssl_context is not None
    assert found.ssl_context.check_hostname
    assert found.mechanism.value == "PLAIN"


def test_tls_with_the_checks_an_operator_left_out() -> None:
    found = credentials({"security.protocol": "SSL", "enable.ssl.certificate.verification": "false"})
    assert isinstance(found, SSLCredentials)
    assert found.context.verify_mode is ssl.CERT_NONE
    found = credentials({"security.protocol": "SSL", "ssl.endpoint.identification.algorithm": "none"})
    assert isinstance(found, SSLCredentials)
    assert (found.context.check_hostname, found.context.verify_mode) == (False, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("security", "field"),
    [
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"}, "sasl.mechanism"),
        ({"security.protocol": "CARRIER_PIGEON"}, "security.protocol"),
    ],
)
def test_what_the_workers_cannot_follow_is_refused_by_name(security: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as raised:
        credentials(security)
    assert raised.value.field == f"kafka.security.{field}"


def test_a_certificate_that_cannot_be_read_is_an_error_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        credentials({"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "none.pem")})


def test_a_password_is_not_shown() -> None:
    config = aiokafka_security(
        ("broker:9092",), {"security.protocol": "SASL_PLAINTEXT", "sasl.password": "secret"}
    )
    assert "secret" not in repr(config)
