"""librdkafka's security settings, as an operator writes them once, for the client inside Faust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from pipeline.errors import SettingsError

_SASL = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def credentials(security: Mapping[str, str]) -> CredentialsT | None:
    """Faust's credentials for `kafka.security`; None for plain text.

    Raises:
        SettingsError: a setting the workers' consumer cannot follow.
    """
    protocol = security.get("security.protocol", "plaintext").upper()
    context = _context(security) if protocol in ("SSL", "SASL_SSL") else None
    if protocol == "PLAINTEXT":
        return None
    if protocol == "SSL":
        return SSLCredentials(context)
    if protocol not in ("SASL_SSL", "SASL_PLAINTEXT"):
        raise _unusable("security.protocol", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    mechanism = security.get("sasl.mechanism", security.get("sasl.mechanisms", "PLAIN")).upper()
    if mechanism not in _SASL:
        raise _unusable("sasl.mechanism", " or ".join(_SASL))
    return SASLCredentials(
        username=security.get("sasl.username"),
        password=security.get("sasl.password"),
        ssl_context=context,
        mechanism=mechanism,
    )


def _context(security: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=security.get("ssl.ca.location"))
        if "ssl.certificate.location" in security:
            context.load_cert_chain(
                security["ssl.certificate.location"],
                security.get("ssl.key.location"),
                security.get("ssl.key.password"),
            )
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"a certificate or key of Kafka cannot be used: {error}", field="kafka.security"
        ) from error
    if security.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if security.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(name: str, allowed: str) -> SettingsError:
    return SettingsError(f"{name} is not usable here: {allowed}", field=f"kafka.security.{name}")
