"""Standard Webhooks as senders use it: known vectors, two secrets, several signatures, clocks that differ."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline import config
from pipeline.errors import SettingsError
from pipeline.shops.base import WebhookRequest
from pipeline.shops.generic import GENERIC
from pipeline.shops.generic.signatures import keys_of
from tests.generic import settings
from tests.settings_trees import store_tree, stores_tree

FOLDER = Path(pipeline.__file__).parent / "bodies" / "generic"
VECTORS = json.loads((FOLDER / "signature-vectors-standard-webhooks.json").read_bytes())
#: The vector of the specification's reference libraries.
PUBLIC = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "headers": {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    "body": '{"test": 2432232314}',
}
SECRET = "whsec_" + base64.b64encode(b"a key of more than 24 bytes").decode()
BODY = b'{"type":"order.updated","data":{"id":"O-1"}}'
NOW = 1_700_000_000


def genuine(
    headers: dict[str, str],
    body: bytes = BODY,
    *secrets: str,
    now: float = NOW,
    tolerance: int = 300,
) -> bool:
    request = WebhookRequest(headers, body, int(now * 1_000))
    keys = [secret.encode() for secret in secrets or (SECRET,)]
    return GENERIC.verify(keys, request, settings(signature_tolerance=tolerance))


def signed(key: bytes, body: bytes = BODY, message: str = "msg_1", seconds: str = str(NOW)) -> dict[str, str]:
    mac = hmac.digest(key, f"{message}.{seconds}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": message, "webhook-timestamp": seconds, "webhook-signature": signature}


KEY = b"a key of more than 24 bytes"


@pytest.mark.parametrize("vector", [PUBLIC, *VECTORS], ids=lambda vector: vector["headers"]["webhook-id"])
def test_a_known_vector_is_genuine_and_nothing_near_it(vector: dict[str, Any]) -> None:
    headers, body, secret = vector["headers"], vector["body"].encode(), vector["secret"]
    at = float(headers["webhook-timestamp"])
    assert genuine(headers, body, secret, now=at)
    assert genuine(headers, body, "whsec_b3RoZXItc2VjcmV0", secret, now=at)
    assert genuine(headers, body, secret.removeprefix("whsec_"), now=at)
    assert not genuine(headers, body, "whsec_b3RoZXItc2VjcmV0", now=at)
    assert not genuine(headers, body + b"\n", secret, now=at)
    assert not genuine(headers, body.replace(b"4", b"5", 1), secret, now=at)
    for name, other in (("webhook-id", "msg_2"), ("webhook-timestamp", str(int(at) + 1))):
        assert not genuine(headers | {name: other}, body, secret, now=at)
        assert not genuine({key: one for key, one in headers.items() if key != name}, body, secret, now=at)


@pytest.mark.parametrize(
    ("seconds", "is_genuine"),
    [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (86_400, False)],
)
def test_a_request_is_refused_beyond_the_tolerance_on_both_sides(seconds: int, is_genuine: bool) -> None:
    assert genuine(signed(KEY), now=NOW + seconds) is is_genuine
    assert genuine(signed(KEY), now=NOW + seconds, tolerance=60) is (abs(seconds) <= 60)


@pytest.mark.parametrize(
    "seconds",
    [
        "",
        " ",
        "now",
        "1e9",
        "1700000000.0",
        "-1700000000",
        "+1700000000",
        "1_700_000_000",
        "\uff11\uff17",
        "9" * 40,
    ],
)
def test_a_time_in_any_other_form_is_refused(seconds: str) -> None:
    assert not genuine(signed(KEY, seconds=seconds))


def test_any_right_signature_of_a_list_will_do() -> None:
    headers = signed(KEY)
    right, wrong = headers["webhook-signature"], "v1," + "A" * 43 + "="
    for given in (f"{wrong} {right}", f"{right} {wrong}", f"v1a,xyz {wrong} {right}", f"  {right} "):
        assert genuine(headers | {"webhook-signature": given})
    for given in (
        "",
        wrong,
        right.removeprefix("v1,"),
        right.replace("v1", "v2"),
        right[:-1],
        right + "x",
        "é" * 44,
    ):
        assert not genuine(headers | {"webhook-signature": given})


def test_only_so_many_signatures_are_compared() -> None:
    headers = signed(KEY)
    many = " ".join(["v1,x"] * 1_000)
    assert not genuine(headers | {"webhook-signature": f"{many} {headers['webhook-signature']}"})


def test_both_spellings_of_a_secret_are_one_key() -> None:
    plain = SECRET.removeprefix("whsec_")
    for secret in (SECRET, plain, plain.rstrip("="), SECRET.rstrip("=")):
        assert genuine(signed(KEY), BODY, secret)


def test_a_secret_without_the_prefix_may_be_the_characters_themselves() -> None:
    hexadecimal = "0123456789abcdef" * 2
    assert genuine(signed(hexadecimal.encode()), BODY, hexadecimal)
    assert genuine(signed(base64.b64decode(hexadecimal)), BODY, hexadecimal)
    assert not genuine(signed(hexadecimal.encode()), BODY, f"whsec_{hexadecimal}")


def test_an_empty_key_signs_nothing() -> None:
    assert keys_of([b"", b"whsec_", b"whsec_=", b"whsec_====", b"whsec_not base64"]) == []
    assert not genuine(signed(b""), BODY, "whsec_")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "whsec_é"])
def test_a_secret_that_says_it_is_base64_and_is_not_is_refused_at_the_start(secret: str) -> None:
    tree = stores_tree(shop=store_tree("generic", secrets=[SECRET, secret]))
    with pytest.raises(SettingsError, match=r"stores\.shop\.secrets: one begins with whsec_"):
        config.parse(tree, {})


def test_a_repeat_has_the_same_id_type_and_body() -> None:
    def delivery(message: str, body: bytes) -> str:
        return GENERIC.arrival(WebhookRequest({"webhook-id": message}, body, NOW)).delivery

    other_type = BODY.replace(b"updated", b"cancelled")
    assert delivery("O-1", BODY) == delivery("O-1", BODY)
    assert len({delivery("O-1", BODY), delivery("O-1", other_type), delivery("O-2", BODY)}) == 3
