"""Kafka's security in Faust's form."""

from __future__ import annotations

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from pipeline.kafka.settings import AioKafkaConfig


def credentials(config: AioKafkaConfig) -> CredentialsT | None:
    """Faust's credentials; None for plain text."""
    if config.security_protocol == "PLAINTEXT":
        return None
    if config.security_protocol == "SSL":
        return SSLCredentials(config.ssl_context)
    return SASLCredentials(
        username=config.sasl_plain_username,
        password=config.sasl_plain_password,
        ssl_context=config.ssl_context,
        mechanism=config.sasl_mechanism,
    )
