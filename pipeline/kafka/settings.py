"""The settings a client starts from: `kafka.security` serves librdkafka as it is, and aiokafka translated."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.kafka.address import bootstrap

Setting = str | int | float | bool

#: The name every client of this program gives, behind the prefix of the topics.
CLIENT_ID = "pipeline"
_SASL = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class AioKafkaConfig:
    """What a client of aiokafka is given; the names are its keyword arguments'."""

    bootstrap_servers: tuple[str, ...]
    client_id: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None = field(repr=False)


def client_config(settings: Settings) -> dict[str, Setting]:
    """The librdkafka settings every client of this program starts from: address, identity, security.

    Raises:
        BrokerError: as in `bootstrap`.
    """
    name = settings.kafka.topic_prefix + CLIENT_ID
    base: dict[str, Setting] = {"bootstrap.servers": bootstrap(settings), "client.id": name}
    return base | security(settings)


def security(settings: Settings) -> dict[str, str]:
    """`kafka.security` with its passwords, for a client; never for a log."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings.kafka.security.items()
    }


def aiokafka_config(settings: Settings) -> AioKafkaConfig:
    """The same for clients of aiokafka.

    Raises:
        BrokerError: as in `bootstrap`.
        SettingsError: a security setting that aiokafka cannot follow.
    """
    servers = tuple(server.strip() for server in bootstrap(settings).split(","))
    return aiokafka_security(servers, security(settings))


def aiokafka_security(servers: tuple[str, ...], secured: Mapping[str, str]) -> AioKafkaConfig:
    """As `aiokafka_config`, of librdkafka's names for security settings.

    Raises:
        SettingsError: a setting that aiokafka cannot follow.
    """
    protocol = secured.get("security.protocol", "plaintext").upper()
    if protocol not in ("PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"):
        raise _unusable("security.protocol", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    mechanism = secured.get("sasl.mechanism", secured.get("sasl.mechanisms", "PLAIN")).upper()
    if protocol.startswith("SASL") and mechanism not in _SASL:
        raise _unusable("sasl.mechanism", " or ".join(_SASL))
    return AioKafkaConfig(
        bootstrap_servers=servers,
        client_id=CLIENT_ID,
        security_protocol=protocol,
        ssl_context=_context(secured) if protocol in ("SSL", "SASL_SSL") else None,
        sasl_mechanism=mechanism,
        sasl_plain_username=secured.get("sasl.username"),
        sasl_plain_password=secured.get("sasl.password"),
    )


def _context(secured: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=secured.get("ssl.ca.location"))
        if "ssl.certificate.location" in secured:
            context.load_cert_chain(
                secured["ssl.certificate.location"],
                secured.get("ssl.key.location"),
                secured.get("ssl.key.password"),
            )
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"a certificate or key of Kafka cannot be used: {error}", field="kafka.security"
        ) from error
    if secured.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if secured.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(name: str, allowed: str) -> SettingsError:
    return SettingsError(f"{name} is not usable here: {allowed}", field=f"kafka.security.{name}")
