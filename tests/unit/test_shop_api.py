"""What is kept of a shop's answers: all but the texts of some fields, byte for byte."""

from __future__ import annotations

import orjson
import pytest

from pipeline.shops.api import without
from pipeline.shops.registry import PLATFORMS

NAMES = ("passwd", "secure_key")


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"passwd":"x","total":1.10}', b'{"passwd":"","total":1.10}'),
        (b'{ "a" : 1e2, "secure_key" : "a\\"b\\\\", "b":"c" }', b'{ "a" : 1e2, "secure_key":"", "b":"c" }'),
        (b'[{"passwd":"x"},{"passwd":null,"passwd2":"y"}]', b'[{"passwd":""},{"passwd":null,"passwd2":"y"}]'),
        (b'{"note":"\\"passwd\\":\\"x\\""}', b'{"note":"\\"passwd\\":\\"x\\""}'),
        (b'{"passwd":"never ends', b'{"passwd":"never ends'),
    ],
)
def test_the_texts_of_some_fields_are_not_kept_and_all_else_is_byte_for_byte(
    body: bytes, kept: bytes
) -> None:
    assert without(body, NAMES) == kept
    assert without(body, ()) == body


def test_every_fetched_platform_withholds_what_nobody_needs() -> None:
    secrets = {
        "prestashop": {"passwd": "h", "secure_key": "k"},
        "magento": {"protect_code": "p", "remote_ip": "i"},
    }
    for name, fields in secrets.items():
        api = PLATFORMS[name].api
        assert api is not None
        found = orjson.loads(without(orjson.dumps({"id": 7, **fields}), api.withheld))
        assert found == {"id": 7, **dict.fromkeys(fields, "")}
