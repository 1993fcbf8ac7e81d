"""The signing examples of docs/shops/generic.md are run, and what they sign is genuine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from pipeline.schemas import files
from pipeline.shops.base import WebhookRequest
from pipeline.shops.generic import GENERIC
from tests.generic import settings, translate

PAGE = (Path(__file__).parents[2] / "docs" / "shops" / "generic.md").read_text(encoding="utf-8")
SECRET = "whsec_bm90LWEtc2VjcmV0LXRlc3Qta2V5LTAwMDAwMA=="
BODY = '{"type":"order.updated","data":{"id":"Ñ-1 \'quoted\' \\\\ $x"}}'
NOW = 1_714_983_301

#: For each language the program, and what is written after the example to print the headers as JSON.
LANGUAGES = {
    "python": (
        sys.executable,
        ".py",
        (
            "import json, sys\n"
            "secret, body = sys.argv[1], sys.stdin.buffer.read()\n"
            f"print(json.dumps(signed_headers(secret, 'msg_1', body, {NOW})))\n"
        ),
    ),
    "php": (
        "php",
        ".php",
        f"echo json_encode(signed_headers($argv[1], 'msg_1', file_get_contents('php://stdin'), {NOW}));\n",
    ),
    "javascript": (
        "node",
        ".js",
        (
            "const body = require('node:fs').readFileSync(0);\n"
            f"console.log(JSON.stringify(signedHeaders(process.argv[2], 'msg_1', body, {NOW})));\n"
        ),
    ),
}


def example(language: str) -> str:
    [code] = re.findall(
        rf"<!-- example: {language} -->\n```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
    return str(code)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_an_example_signs_what_is_genuine(language: str, secret: str, tmp_path: Path) -> None:
    program, ending, printing = LANGUAGES[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    script = tmp_path / f"example{ending}"
    script.write_text(example(language) + printing, encoding="utf-8")
    body = BODY.encode()
    done = subprocess.run(
        [program, str(script), secret], input=body, capture_output=True, timeout=60, check=True
    )
    headers = json.loads(done.stdout)
    request = WebhookRequest(headers, body, NOW * 1_000)
    assert GENERIC.verify([SECRET.encode()], request, settings())
    assert not GENERIC.verify([SECRET.encode()], request._replace(body=body + b" "), settings())


def test_the_bodies_of_the_page_are_of_the_published_schema() -> None:
    blocks = [
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    ]
    [envelope, _list, product] = blocks
    schema = jsonschema.Draft202012Validator(json.loads(files()["shop-event.json"]))
    assert not [error.message for error in schema.iter_errors(envelope)]
    assert len(translate(envelope["type"], envelope["data"]).drafts) == 3
    assert set(product) == {"locale", "name", "translations"}


def test_the_page_names_every_type() -> None:
    assert all(f"`{row.name}`" in PAGE for row in GENERIC.topics.rows)
