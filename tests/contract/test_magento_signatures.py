"""Who may send Magento's events: Adobe by its keys and for us alone, a module by its secret, nobody else."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from pipeline.shops.base import WebhookRequest
from pipeline.shops.magento import MAGENTO
from pipeline.shops.magento.settings import MagentoSettings
from tests.magento import adobe, read
from tests.platforms import settings_of

VECTORS: list[dict[str, Any]] = read("constructed-ioevents-signature-vectors.json")
CLIENT = "ca7b36f23be94dcb9d2ebb97f0276e3f"
ONE, OTHER = "x-adobe-digital-signature-1", "x-adobe-digital-signature-2"


def settings(client: str | None = CLIENT) -> MagentoSettings:
    own = settings_of("magento", events_client_id=client)
    assert isinstance(own, MagentoSettings)
    return own


def genuine(secrets: list[bytes], headers: dict[str, str], body: bytes, client: str | None = CLIENT) -> bool:
    named = {name.lower(): value for name, value in headers.items()}
    return MAGENTO.verify(secrets, WebhookRequest(named, body), settings(client))


@pytest.fixture(name="key", scope="module")
def _key() -> RSAPrivateKey:
    return generate_private_key(65_537, 2_048)


def public(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def signature(key: RSAPrivateKey, body: bytes) -> str:
    return base64.b64encode(key.sign(body, PKCS1v15(), SHA256())).decode()


@pytest.mark.parametrize("vector", VECTORS)
def test_a_vector_is_genuine_by_one_of_two_signatures_and_not_when_anything_is_changed(
    vector: dict[str, Any],
) -> None:
    pem, headers, body = vector["public_key_pem"].encode(), vector["headers"], vector["body"].encode()
    swapped = headers | {ONE: headers[OTHER], OTHER: headers[ONE]}
    assert genuine([pem], headers, body)
    assert genuine([b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", pem], headers, body)
    assert genuine([pem], swapped, body)
    assert not genuine([pem], headers, body + b" ")
    assert not genuine([pem], headers | {ONE: "AAAA"}, body)
    assert not genuine([b"a secret"], headers, body)
    assert not genuine([], headers, body)


def test_an_event_of_another_of_adobes_customers_is_not_ours() -> None:
    vector = VECTORS[0]
    pem, headers, body = vector["public_key_pem"].encode(), vector["headers"], vector["body"].encode()
    assert not genuine([pem], headers, body, "another")
    assert not genuine([pem], headers, body, None)


def test_of_a_batch_every_event_must_be_ours(key: RSAPrivateKey) -> None:
    ours, strange = (
        adobe("observer.sales_order_save_commit_after", {"entity_id": "7"}, recipientclientid=client)
        for client in (CLIENT, "another")
    )
    for batch, expected in (([ours, ours], True), ([ours, strange], False), ([], False), ([ours, 7], False)):
        body = json.dumps(batch).encode()
        assert genuine([public(key)], {ONE: signature(key, body)}, body) is expected


def test_the_deprecated_name_of_the_client_id_is_read_until_it_is_gone(key: RSAPrivateKey) -> None:
    body = json.dumps({"type": "x", "recipient_client_id": CLIENT}).encode()
    assert genuine([public(key)], {ONE: signature(key, body)}, body)


def test_a_public_key_is_no_secret_of_an_hmac_nor_a_token(key: RSAPrivateKey) -> None:
    pem, body = public(key), b'{"type":"sales.order.updated","data":{}}'
    for secret in (pem, pem.strip(), b" " + pem):
        made = hmac.digest(secret, body, "sha256").hex()
        assert not genuine([secret], {"x-magento-signature": made}, body)
        token = base64.b64encode(b"user:" + secret).decode()
        assert not genuine([secret], {"authorization": f"Basic {token}"}, body)
        assert not genuine([secret], {"x-webhook-token": secret.decode()}, body)


def test_keys_that_nobody_should_trust_verify_nothing(key: RSAPrivateKey) -> None:
    body = json.dumps({"recipientclientid": CLIENT}).encode()
    weak = generate_private_key(65_537, 1_024)  # noqa: S505 - what is tested
    assert not genuine([public(weak)], {ONE: signature(weak, body)}, body)
    assert not genuine([public(elliptic(SECP256R1()))], {ONE: signature(key, body)}, body)
    for odd in (b"-----BEGIN PUBLIC KEY-----", b"-----BEGIN CERTIFICATE-----\nAA\n", b"\xff-----BEGIN "):
        assert not genuine([odd], {ONE: signature(key, body)}, body)


def test_a_module_signs_in_hex_or_repeats_the_secret() -> None:
    body = b'{"data":{}}'
    made = hmac.digest(b"one", body, "sha256").hex()
    basic = base64.b64encode(b"shop:one").decode()
    for headers in (
        {"x-magento-signature": made},
        {"x-magento-signature": made.upper()},
        {"authorization": "Bearer one"},
        {"authorization": f"Basic {basic}"},
        {"x-webhook-token": "one"},
    ):
        assert genuine([b"one"], headers, body)
        assert genuine([b"two", b"one"], headers, body)
        assert not genuine([b"two"], headers, body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-magento-signature": ""},
        {"x-magento-signature": "é"},
        {"x-magento-signature": "0" * 64},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Basic !"},
        {"authorization": "Digest one"},
        {"x-webhook-token": " "},
        {"x-webhook-token": "é"},
        {ONE: "", OTHER: ""},
        {ONE: "x" * 9_000},
        {"x-magento-signature": "0" * 64, "x-webhook-token": "one"},
    ],
)
def test_nothing_else_is_genuine(headers: dict[str, str]) -> None:
    assert not genuine([b"one"], headers, b"{}")


def test_a_store_with_adobes_keys_must_say_which_events_are_its_own(key: RSAPrivateKey) -> None:
    secrets = (SecretStr(public(key).decode()),)
    without = settings_of("magento", secrets=secrets)
    assert str(without.complaint([])).startswith("events_client_id: ")
    assert settings_of("magento", secrets=secrets, events_client_id="x").complaint([]) is None
    broken = (SecretStr("-----BEGIN PUBLIC KEY-----\nAA"),)
    assert str(settings_of("magento", secrets=broken).complaint([])).startswith("secrets: ")
