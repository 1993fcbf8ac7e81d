"""A broker as others run it: TLS with a certificate of its own authority, SASL, and rights for each user."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.local.ports import HOST, following
from tests.own_broker import address, own_broker

USER, PASSWORD = "pipeline", "hush-hush-hush"
_JAAS = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """Where it is: for the pipeline with TLS and a password, for whoever rules it without."""

    bootstrap: str
    open_bootstrap: str
    authority: Path

    @property
    def admin(self) -> AdminClient:
        """A client that may do everything."""
        return AdminClient({"bootstrap.servers": self.open_bootstrap})

    def allow(self, kind: str, pattern: str, name: str, operations: list[str]) -> None:
        """Give the user rights, by the names that Kafka's own tools have for them."""
        bindings = [
            AclBinding(
                ResourceType[kind.upper()],
                name,
                ResourcePatternType[pattern.upper()],
                f"User:{USER}",
                "*",
                AclOperation[operation.upper()],
                AclPermissionType.ALLOW,
            )
            for operation in operations
        ]
        admin = self.admin  # a client that nobody holds gives up what it was asked
        for future in admin.create_acls(bindings).values():
            future.result(30)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificates(directory: Path) -> Path:
    """An authority, and `broker.pem` with key and certificate of 127.0.0.1; returns the authority's file."""
    now = dt.datetime.now(dt.UTC)
    ruler, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(name: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    authority = builder("authority", ruler.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    broker = builder("broker", key.public_key()).add_extension(place, critical=False)
    file = directory / "authority.pem"
    file.write_bytes(authority.sign(ruler, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    signed = broker.sign(ruler, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (directory / "broker.pem").write_bytes(_pem_of(key) + signed)
    return file


@contextlib.contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    """Such a broker, whose user has no rights yet."""
    authority = _certificates(directory)
    taken: set[int] = set()
    place = address(taken)
    secured = f"{HOST}:{following(0, 0, taken)}"
    settings = {
        "listeners": f"PLAINTEXT://{place.address},SECURED://{secured},CONTROLLER://{HOST}:{place.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{place.address},SECURED://{secured}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
        "listener.name.secured.scram-sha-256.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        "listener.name.secured.plain.sasl.jaas.config": (
            f'{_JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": directory / "broker.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Whoever comes without TLS: the broker itself, and the test.
        "super.users": "User:ANONYMOUS",
    }
    with own_broker(directory, place, settings):
        made = SecuredKafka(secured, place.address, authority)
        users = [
            UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4_096), PASSWORD.encode())
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        ]
        admin = made.admin
        for user in users:
            for future in admin.alter_user_scram_credentials([user]).values():
                future.result(30)
        yield made
