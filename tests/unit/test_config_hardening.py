"""Settings that would weaken a promise, leak a secret or never end are refused; paths have one meaning."""

from __future__ import annotations

import contextlib
import math
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pipeline import config, config_values
from pipeline.config import Section, Settings
from pipeline.errors import SettingsError
from pipeline.kafka.settings import client_config

ACCOUNT = '[accounts.es]\napi_key = { env = "TEST_KEY" }\n'
STORE = (
    '[stores.shop]\nplatform = "shopify"\naccount = "es"\ndomain = "acme.example"\n'
    'secrets = [{ env = "TEST_SECRET" }]\n'
)
ENVIRON = {"TEST_KEY": "id:s3kr1t-key", "TEST_SECRET": "s3kr1t-shop", "TEST_PASSWORD": "s3kr1t-kafka"}


@pytest.fixture(name="environ", autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def load(directory: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    """The settings of a file with this text."""
    path = directory / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, environ or {})


def refusal(directory: Path, text: str, environ: dict[str, str] | None = None) -> str:
    """What is said of it, which must show no secret."""
    with pytest.raises(SettingsError) as caught:
        load(directory, text, environ)
    said = str(caught.value)
    assert "s3kr1t" not in said
    assert "-> " in said
    return said


# Where paths begin.


def test_data_lie_beside_the_settings_file_wherever_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path / "conf", "").data_dir == tmp_path / "conf" / "data"
    assert load(tmp_path / "conf", 'data_dir = "d"').data_dir == tmp_path / "conf" / "d"
    assert load(tmp_path / "conf", 'data_dir = "/var/d"').data_dir == Path("/var/d")
    from_environment = load(tmp_path / "conf", "", {"PIPELINE__DATA_DIR": "e"})
    assert from_environment.data_dir == tmp_path / "conf" / "e"
    monkeypatch.chdir(tmp_path / "conf")
    assert config.load(Path("pipeline.toml"), {}).data_dir == tmp_path / "conf" / "data"


def test_secrets_and_certificates_lie_beside_the_settings_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("id:from-a-file\n")
    monkeypatch.chdir("/")
    read = load(
        tmp_path,
        '[kafka]\nbootstrap = "k.example:9092"\nsecurity = { "ssl.ca.location" = "ca.pem", '
        '"sasl.password" = { file = "key" } }\n' + ACCOUNT.replace('env = "TEST_KEY"', 'file = "key"'),
    )
    assert read.accounts["es"].api_key.get_secret_value() == "id:from-a-file"
    assert read.kafka.security["ssl.ca.location"] == str(tmp_path / "ca.pem"), "no secret"
    assert client_config(read)["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert client_config(read)["sasl.password"] == "id:from-a-file"


@pytest.mark.parametrize("path", ["", ".", "a\\u0000b"])
def test_a_data_dir_that_is_none_is_refused(tmp_path: Path, path: str) -> None:
    assert "data_dir: must name a directory" in refusal(tmp_path, f'data_dir = "{path}"\n')


# Secrets.


def test_secrets_from_the_environment_are_stripped_and_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", " hush\n")
    (secret,) = load(tmp_path, ACCOUNT + STORE).stores["shop"].secrets
    assert secret.get_secret_value() == "hush"
    for empty in ("", " \n"):
        monkeypatch.setenv("TEST_SECRET", empty)
        assert "stores.shop.secrets.0: the secret is empty" in refusal(tmp_path, ACCOUNT + STORE)


def test_no_secret_is_in_what_the_settings_show(tmp_path: Path) -> None:
    read = load(
        tmp_path,
        '[kafka]\nbootstrap = "k.example:9092"\nsecurity = { "sasl.password" = { env = "TEST_PASSWORD" }, '
        '"ssl.key.password" = { env = "TEST_PASSWORD" } }\n' + ACCOUNT + STORE,
    )
    assert client_config(read)["sasl.password"] == "s3kr1t-kafka"
    for shown in (repr(read), str(read), read.model_dump_json(), repr(read.model_dump())):
        assert "s3kr1t" not in shown


@pytest.mark.parametrize("name", sorted(config_values.SECURITY_SECRETS))
def test_a_password_of_kafka_stands_in_the_file_only_for_a_broker_of_this_machine(
    tmp_path: Path, name: str
) -> None:
    text = f'[kafka]\nbootstrap = "BROKER"\nsecurity = {{ "{name}" = "s3kr1t" }}\n'
    assert "a secret stands in the settings file" in refusal(tmp_path, text.replace("BROKER", "k.example:1"))
    assert load(tmp_path, text.replace("BROKER", "localhost:1,127.0.0.1:2")).kafka.security
    assert "the secret is empty" in refusal(
        tmp_path, text.replace("BROKER", "localhost:1").replace("s3kr1t", " ")
    )


def test_a_plain_key_for_a_sandbox_is_not_sent_elsewhere_by_the_environment(tmp_path: Path) -> None:
    text = '[accounts.es]\napi_key = "id:s3kr1t"\nbase_url = "http://127.0.0.1:1"\n'
    assert load(tmp_path, text).accounts["es"].base_url == "http://127.0.0.1:1"
    moved = {"PIPELINE__ACCOUNTS__ES__BASE_URL": "https://api.connectif.cloud"}
    assert "es / api_key: the secret stands in the settings file" in refusal(tmp_path, text, moved)


def test_what_needs_no_secret_reads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRON:
        monkeypatch.delenv(name)
    path = tmp_path / "pipeline.toml"
    path.write_text(
        '[kafka]\nbootstrap = "k.example:1"\nsecurity = { "sasl.password" = { env = "TEST_PASSWORD" } }\n'
        + ACCOUNT
        + STORE.replace('env = "TEST_SECRET"', 'file = "not-there"')
    )
    assert config.load(path, {}, secrets=config_values.NO_SECRETS).accounts["es"].calls_per_minute == 100
    with pytest.raises(SettingsError, match="TEST_KEY is not set"):
        config.load(path, {})


# Addresses.


@pytest.mark.parametrize(
    "url",
    [
        "http://api.connectif.cloud",
        "http://127.0.0.1.evil.example",
        "http://0x7f.1",
        "http://8.8.8.8:9100",
        "http://0.0.0.0:1",
        "http://[2001:4860::1]",
        "http://2130706433",
    ],
)
def test_the_key_does_not_travel_in_clear_text_to_a_public_host(tmp_path: Path, url: str) -> None:
    assert "must begin with https://" in refusal(tmp_path, f'{ACCOUNT}base_url = "{url}"\n')


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9100",
        "http://localhost:9100",
        "http://sandbox:9100",
        "http://10.0.0.5",
        "http://[::1]:9100",
        "http://[fd00::1]:9100",
        "http://sandbox.internal",
        "https://api.connectif.cloud",
    ],
)
def test_a_sandbox_in_a_private_network_may_be_plain(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, f'{ACCOUNT}base_url = "{url}"\n').accounts["es"].base_url == url


@pytest.mark.parametrize(
    "url", ["https://:p@a.example", "https://a.example/../x", "https://a.example/\\\\x", "https://a。example"]
)
def test_an_address_that_says_more_than_where_is_refused(tmp_path: Path, url: str) -> None:
    assert "accounts.es.base_url: must be an address" in refusal(tmp_path, f'{ACCOUNT}base_url = "{url}"\n')


@pytest.mark.parametrize("origin", ["acme.example", "acme.example/", "ftp://acme.example", "https://", ""])
def test_an_authorised_domain_without_its_scheme_is_explained(tmp_path: Path, origin: str) -> None:
    said = refusal(tmp_path, f'{ACCOUNT}authorised_domains = ["{origin}"]\n')
    assert "accounts.es.authorised_domains.0: " in said
    assert "with its scheme: https://acme.example" in said


def test_the_domain_where_shopify_keeps_the_shop_is_refused_unless_buyers_see_it(tmp_path: Path) -> None:
    store = STORE.replace("acme.example", "Acme.myshopify.com")
    assert "acme.myshopify.com is where Shopify keeps the shop" in refusal(tmp_path, ACCOUNT + store)
    seen = ACCOUNT + 'authorised_domains = ["https://acme.myshopify.com"]\n' + store
    assert load(tmp_path, seen).stores["shop"].domain == "Acme.myshopify.com"


@pytest.mark.parametrize(
    "page", ["javascript:alert({id})", "{domain}/p/{id}", "https://x/{path}", "https://{", "https://{0}"]
)
def test_a_product_page_that_is_no_address_is_refused(tmp_path: Path, page: str) -> None:
    assert "stores.shop.product_url: m" in refusal(tmp_path, f'{ACCOUNT}{STORE}product_url = "{page}"\n')


# Kafka's promises.


@pytest.mark.parametrize(
    "name",
    [
        "acks",
        "enable.idempotence",
        "bootstrap.servers",
        "plugin.library.paths",
        "message.timeout.ms",
        "sasl.kerberos.keytab",
    ],
)
def test_what_kafkas_clients_promise_cannot_be_set_away(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, f'[kafka]\nsecurity = {{ "{name}" = "0" }}\n')
    assert f"kafka.security: {name} is not to be set here" in said


@pytest.mark.parametrize("prefix", ["a/b c", "x" * 101, "a\\n"])
def test_a_prefix_that_no_topic_can_have_is_refused(tmp_path: Path, prefix: str) -> None:
    assert "kafka.topic_prefix: " in refusal(tmp_path, f'[kafka]\ntopic_prefix = "{prefix}"\n')


# Every setting there is or will be.


def sections(of: type[BaseModel] = Settings) -> set[type[Section]]:
    """All tables of the settings file."""
    found: set[type[Section]] = {of} if issubclass(of, Section) else set()
    for field in of.model_fields.values():
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Section):
                found |= sections(kind)
    return found


NUMBERS = [
    (section, name)
    for section in sorted(sections(), key=lambda section: section.__name__)
    for name, field in section.model_fields.items()
    if field.annotation in {int, float}
]


@pytest.mark.parametrize(("section", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_every_number_has_an_end(section: type[Section], name: str) -> None:
    given = {
        other: field.examples[0]
        for other, field in section.model_fields.items()
        if field.is_required() and field.examples
    }
    for endless in (math.inf, -math.inf, math.nan, 1e300, 10**15):
        with pytest.raises(ValidationError) as caught:
            section.model_validate(
                {**given, name: endless}, context={config_values.NEEDED_SECRETS: config_values.NO_SECRETS}
            )
        said = caught.value.errors(include_input=False)
        assert any(name in error["loc"] or name in error["msg"] for error in said), said


def test_there_are_numbers_to_look_at() -> None:
    assert len(NUMBERS) > 30


# The environment.


def test_an_override_that_could_mean_two_places_is_refused(tmp_path: Path) -> None:
    twins = ACCOUNT.replace("es", "a-b") + ACCOUNT.replace("es", "a_b")
    said = refusal(tmp_path, twins, {"PIPELINE__ACCOUNTS__A_B__CALLS_PER_MINUTE": "7"})
    assert "could mean a-b or a_b" in said


def test_an_override_is_one_value_and_no_more(tmp_path: Path) -> None:
    read = load(tmp_path, ACCOUNT, {"PIPELINE__DATA_DIR": '"x"\n[stores.evil]\nplatform = "shopify"'})
    assert not read.stores
    key = {"PIPELINE__ACCOUNTS__ES__API_KEY": "07:32:00"}
    assert load(tmp_path, ACCOUNT, key).accounts["es"].api_key.get_secret_value() == "07:32:00"


@pytest.mark.parametrize("content", [b"x = " + b"[" * 5_000, b"\xff", b"[accounts.es\n", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not valid TOML"):
        config.load(path, {})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        config.load(tmp_path, {})


def test_a_mark_that_an_editor_left_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ACCOUNT.encode())
    assert set(config.load(path, {}).accounts) == {"es"}


texts = st.text(max_size=8)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("data_dir", "kafka", "gateway", "accounts", "stores"), trees)
    ),
    st.dictionaries(
        st.sampled_from(["PIPELINE__KAFKA__X", "PIPELINE__STORES__A__SECRETS", "PIPELINE__"]), texts
    ),
)
def test_whatever_the_file_holds_is_settings_or_an_error_in_words(
    tree: dict[str, Any], environ: dict[str, str]
) -> None:
    with contextlib.suppress(SettingsError):
        config.parse(tree, environ, file=Path("/d/pipeline.toml"))
