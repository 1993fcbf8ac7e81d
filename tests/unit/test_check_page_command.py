"""The command: exit codes, settings, JSON, and what is said of persons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import PipelineError
from tests.unit.pages import SCRIPT, page, purchase

SETTINGS = """
[accounts.acme]
api_key = { env = "NOT_SET_ANYWHERE" }
authorised_domains = ["https://acme.example"]
[stores.acme]
platform = "magento"
account = "acme"
domain = "acme.example"
secrets = [{ env = "NOT_SET_ANYWHERE" }]
access_token = { env = "NOT_SET_ANYWHERE" }
"""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(purchase(purchase_id="000000012")), encoding="utf-8")
    return path


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check", "page", *words], env={"COLUMNS": "200"})
    if isinstance(done.exception, PipelineError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_page_that_is_right_ends_with_0_and_says_what_is_sent(file: Path) -> None:
    code, said = run(str(file))
    assert code == 0
    assert "purchase 000000012 of 12.5 with 1 line" in said
    assert "0 errors" in said


def test_an_error_in_the_page_ends_with_1(file: Path) -> None:
    file.write_text(page(purchase(total_price="1.067,35 €")), encoding="utf-8")
    code, said = run(str(file))
    assert code == 1
    assert "1.067,35 € is read as 1.067" in said


def test_without_a_page_it_ends_with_2(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        run(str(tmp_path / "none.html"))
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_the_report_as_json_is_masked_unless_asked(file: Path) -> None:
    _, masked = run(str(file), "--json", "--url", "https://acme.example/done?key=wc_secret")
    assert "ana@acme.example" not in masked
    assert "wc_secret" not in masked
    tree = json.loads(masked)
    assert tree["sent"]["primaryKey"] == "a…@a…"
    _, shown = run(str(file), "--json", "--show-personal", "--url", "https://acme.example/done?key=wc_secret")
    assert json.loads(shown)["sent"]["primaryKey"] == "ana@acme.example"
    assert "wc_secret" in shown


def test_findings_do_not_quote_persons(file: Path) -> None:
    contact = (
        '<div class="cn_client_info"><i class="primary_key">Ana Ruiz Soto</i>'
        '<i class="_birthdate">1 May 1990</i><i class="_surname">Ruiz</i></div>'
        '<div class="cn_newsletter_subscribe"><i class="email">Ana Ruiz</i></div>'
    )
    file.write_text(page(purchase(), contact=contact), encoding="utf-8")
    for words in ([], ["--json"]):
        _, said = run(str(file), *words)
        assert "Ruiz" not in said
        assert "1990" not in said
    assert "Ruiz" in run(str(file), "--show-personal")[1]


def test_a_recovery_address_is_shown_without_what_opens_the_cart(file: Path) -> None:
    cart = (
        '<div class="cn_cart"><i class="cart_id">1</i><i class="total_quantity">0</i>'
        '<i class="total_price">0</i>'
        '<i class="cart_recovery_url">https://other.example/r?token=sesame</i></div>'
    )
    file.write_text(page(purchase(), cart), encoding="utf-8")
    for words in ([], ["--json"], ["--store", "acme", "--config", _settings(file)]):
        assert "sesame" not in run(str(file), *words)[1]


def _settings(file: Path) -> str:
    path = file.with_name("pipeline.toml")
    path.write_text(SETTINGS, encoding="utf-8")
    return str(path)


def test_a_store_is_compared_without_its_secrets(file: Path) -> None:
    words = [
        "--store",
        "acme",
        "--config",
        _settings(file),
        "--url",
        "https://www.acme.example/done",
        "--json",
    ]
    code, said = run(str(file), *words, "--known", "number=000000012", "--known", "id=12")
    findings = {(one["about"], one["code"]) for one in json.loads(said)["findings"]}
    assert code == 1
    assert ("page.url", "unauthorised") in findings
    assert ("purchase[0].purchase_id", "same_id") in findings


def test_a_store_that_there_is_not_and_a_wrong_id_are_said(file: Path) -> None:
    with pytest.raises(PipelineError, match="no store other") as caught:
        run(str(file), "--store", "other", "--config", _settings(file))
    assert "acme" in caught.value.hint
    with pytest.raises(PipelineError, match="name=value"):
        run(str(file), "--known", "order-5678")


def test_settings_of_the_account_come_from_a_saved_script(file: Path, tmp_path: Path) -> None:
    script = tmp_path / "client.js"
    script.write_text('window.connectifConfiguration = {"webTrackingEnabled":false}', encoding="utf-8")
    code, said = run(str(file), "--script-file", str(script))
    assert code == 1
    assert "webTrackingEnabled is false" in said


def test_a_client_script_that_does_not_come_is_a_note(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.check.page import run as running  # noqa: PLC0415 - the module, not the function above

    monkeypatch.setattr(running, "CLIENT_SCRIPTS", "http://127.0.0.1:9")
    code, said = run(str(file), "--script")
    assert code == 0
    assert "client script was not read" in said


def test_what_a_page_says_changes_nothing_on_the_terminal(file: Path) -> None:
    text = "\x1b[31m[red]x[/]\u202e"
    file.write_text(page(purchase(total_price=text, purchase_id=text), script=SCRIPT), encoding="utf-8")
    _, said = run(str(file))
    assert "\x1b[31m" not in said
    assert "\u202e" not in said
    assert "[red]x[/]" in said
