"""Settings: `pipeline.toml`, overridden by the environment (`PIPELINE__ACCOUNTS__ACME_ES__...`)."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.errors import SettingsError

DEFAULT_PATH = Path("pipeline.toml")
MAX_PORT = 65_535
#: Names of stores and accounts appear in keys (`store|kind|id`), labels, paths and URLs.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


def _read_secret(value: object) -> object:
    """`{ env = "NAME" }` or `{ file = "path" }` -> the secret; a bare string is checked later."""
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"env"}:
        name = str(value["env"])
        if not os.environ.get(name):
            raise ValueError(f"environment variable {name} is not set")
        return os.environ[name]
    if set(value) == {"file"}:
        path = Path(str(value["file"]))
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8 text") from None
    raise ValueError('a secret is { env = "NAME" } or { file = "path" }')


def _not_empty(secret: SecretStr) -> SecretStr:
    """Whoever knows that a secret is empty can sign for it."""
    if not secret.get_secret_value().strip():
        raise ValueError("the secret is empty")
    return secret


def _key_of_connectif(secret: SecretStr) -> SecretStr:
    """It is sent in a header as it stands."""
    if not re.fullmatch(r"[!-9;-~]+:[!-~]+", secret.get_secret_value()):
        raise ValueError('an API key is "id:secret", both without spaces')
    return secret


#: It stands before the code in a record's id, `set/code`.
CouponSetId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Secret = Annotated[SecretStr, BeforeValidator(_read_secret), AfterValidator(_not_empty)]


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://api.connectif.cloud")
    return url


def _shop_address(domain: str) -> str:
    """A host, with a path where the shop has one; it is put after `https://`."""
    if not re.fullmatch(r"[^\s/?#@]+(?:/[^\s/?#]+)*", domain):
        raise ValueError("must be the shop's address without https://, such as acme.example")
    return domain


def _servers(text: str) -> str:
    """Kafka's addresses: its clients wait for ever for one without a port, and say nothing."""
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        named = re.fullmatch(r"[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]", host)
        if not named or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= MAX_PORT:
            raise ValueError(
                "must be host:port, several with commas between, such as kafka-1:9092,kafka-2:9092"
            )
    return text


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"unknown time zone {name!r}; use an IANA name such as Europe/Madrid") from error
    return name


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, so a typing error is found at the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """Where Kafka is, and how its topics are made.

    `bootstrap` left out means the embedded broker. Retention is in days; partition counts are fixed for the
    life of a topic (docs/adr/0003).
    """

    bootstrap: Annotated[str, AfterValidator(_servers)] | None = None
    security: dict[str, str] = Field(default_factory=dict, description="librdkafka settings, e.g. sasl.*")
    topic_prefix: str = ""
    replication: int = Field(default=1, ge=1)
    min_insync: int = Field(default=1, ge=1)
    shop_partitions: int = Field(default=8, ge=1, le=1000)
    account_partitions: int = Field(default=8, ge=1, le=1000)
    shop_retention_days: int = Field(default=400, ge=1, description="how far back a replay can reach")
    record_retention_days: int = Field(default=14, ge=1)
    receipt_retention_days: int = Field(default=90, ge=1)
    dead_retention_days: int = Field(default=400, ge=1)
    max_message_bytes: int = Field(default=6_000_000, ge=1_000_000)
    session_timeout: float = Field(
        default=15.0, ge=6, le=300, description="seconds until a silent worker's partitions go to another"
    )
    java: Literal["bundled", "system"] = Field(default="bundled", description="of the embedded broker")


class GatewaySettings(Section):
    """Limits of the webhook side. Sizes in bytes, times in seconds."""

    max_body_bytes: int = Field(default=5_000_000, ge=1_000)
    spool_max_bytes: int = Field(default=2_000_000_000, ge=0)
    confirm_timeout: float = Field(default=2.0, gt=0, description="wait for Kafka before the spool takes it")
    drain_timeout: float = Field(default=20.0, gt=0, description="on SIGTERM, for what is in flight")
    read_timeout: float = Field(default=15.0, ge=1, description="for a whole request to arrive")
    idle_timeout: float = Field(default=75.0, ge=1, description="of a connection between requests")
    write_timeout: float = Field(default=15.0, ge=1, description="for a peer to take what was answered")
    max_held_bytes: int = Field(default=256_000_000, ge=5_000_000, description="bodies in memory, together")


class TranslateSettings(Section):
    """The translate stage. `state_days` is how long an entity's deduplication state is kept."""

    batch: int = Field(default=500, ge=1)
    buffer: int = Field(default=4_000, ge=100, description="events held in memory before the rules")
    state_days: int = Field(default=400, ge=1)
    recent_deliveries: int = Field(default=8, ge=1, description="delivery ids remembered per entity")
    retired_stores: frozenset[Name] = Field(
        default=frozenset(),
        description="stores taken out of the settings on purpose: their events become dead letters; those of "
        "any other unknown store hold their partition until the settings have it",
    )


class DeliverSettings(Section):
    """The deliver stage. Times in seconds."""

    call_timeout: float = Field(default=30.0, gt=0)
    concurrency: int = Field(default=8, ge=1, description="calls in flight per account")
    retry_floor: float = Field(
        default=0.05, ge=0, le=0.5, description="share of the calls that retries have for certain"
    )
    backfill_floor: float = Field(
        default=0.05, ge=0, le=0.5, description="share of the calls that a backfill has for certain"
    )
    freshness: float = Field(
        default=60.0, gt=0, description="how long live contacts and products wait for an import at most"
    )
    consent_fresh: float = Field(
        default=600.0,
        ge=0,
        description="older words that subscribe somebody are told only once Connectif was asked",
    )
    import_min_rows: int = Field(default=4, ge=2, description="fewer waiting rows go as single calls")
    imports_at_once: int = Field(default=5, ge=1, le=10, description="unfinished imports per account")
    import_max_bytes: int = Field(default=45_000_000, ge=1_000, le=50_000_000)
    import_max_rows: int = Field(default=50_000, ge=2)
    import_poll: float = Field(default=2.0, gt=0, description="shortest time between looks at an import")
    import_stuck_after: float = Field(default=3_600.0, gt=0)
    retry_min: float = Field(default=1.0, gt=0)
    retry_max: float = Field(default=300.0, gt=0)
    retry_for: float = Field(
        default=3_600.0, ge=0, description="how long a record is tried whose own answers make no sense"
    )
    retry_away_for: float = Field(
        default=86_400.0,
        ge=0,
        description="how long a purchase is tried on which Connectif fails while it takes others",
    )
    dead_in_a_row: int = Field(default=50, ge=1, description="this many dead in a row stop the account")
    dead_share: float = Field(
        default=0.5, gt=0, le=1, description="this share of dead among the last dead_window stops it, too"
    )
    dead_window: int = Field(default=200, ge=10, description="records whose endings are looked at for that")
    state_days: int = Field(default=400, ge=1, description="how long what Connectif was told is remembered")


class CouponSetSettings(Section):
    """A coupon set of Connectif that is kept filled from codes given to it in advance."""

    set_id: CouponSetId
    low: int = Field(ge=1, description="top it up when fewer codes are available")
    batch: int = Field(default=500, ge=1, description="codes of one top-up")
    every: float = Field(default=600.0, ge=10, description="seconds between looks; each costs a call")


class AccountSettings(Section):
    """One Connectif account: a store in one language and one currency, with its own budget."""

    api_key: Annotated[Secret, AfterValidator(_key_of_connectif)]
    base_url: Annotated[str, AfterValidator(_web_address)] = "https://api.connectif.cloud"
    calls_per_minute: int = Field(default=100, ge=1)
    reserve_calls: int = Field(default=0, ge=0, description="of these a minute, left to others' scripts")
    window_seconds: float = Field(default=60.0, gt=0, description="the limit's minute; shorter on sandboxes")
    authorised_domains: tuple[str, ...] = ()
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    purchases_since: date | None = Field(
        default=None, description="orders placed before this day make no purchase; None: all do"
    )
    coupon_field: Annotated[str, Field(pattern=r"^[A-Za-z0-9]\w{0,99}$")] | None = Field(
        default=None, description="id of the contact field that is told which codes an order used"
    )
    coupons: dict[Name, CouponSetSettings] = Field(default_factory=dict, description="sets to keep filled")

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.reserve_calls >= self.calls_per_minute:
            raise ValueError("reserve_calls must be less than calls_per_minute, or nothing could be sent")
        return self

    @model_validator(mode="after")
    def _sets_are_watched_once(self) -> Self:
        ids = [coupon_set.set_id for coupon_set in self.coupons.values()]
        if len(set(ids)) < len(ids):
            raise ValueError("two of the coupons have the same set_id")
        return self


class StoreSettings(Section):
    """One shop feed: how it is trusted, and what its bodies mean (defaults: docs/decisions.md)."""

    platform: Literal["shopify", "woocommerce"]
    account: Name
    domain: Annotated[str, AfterValidator(_shop_address)]
    secrets: tuple[Secret, ...] = Field(min_length=1, max_length=2)
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    purchase_id: Literal["id", "number", "name"] = "id"
    product_id: Literal["product", "variant", "sku"] = "product"
    tax: Literal["as_shown", "included", "excluded"] = "as_shown"
    sold_statuses: frozenset[str] | None = Field(default=None, description="None: the platform's default")
    on_order_deleted: Literal["retract", "keep"] = "retract"
    on_partial_refund: Literal["replace", "keep"] = "replace"
    on_product_deleted: Literal["hide", "delete"] = "hide"
    on_customer_deleted: Literal["keep", "delete"] = "keep"
    accept_test_orders: bool = False
    guests_without_email: Literal["park", "external_id"] = "park"
    contacts_from_unsold_orders: bool = False
    consent_from_orders: bool = Field(
        default=False,
        description="whether the box ticked at checkout subscribes; only for shops without double opt-in",
    )
    placeholder_product: str | None = Field(default=None, description="product id for orders without lines")
    product_url: str | None = Field(
        default=None,
        description="page of a product known only from orders, with {domain}, {id} and {sku} filled in; "
        "None: the platform's own form",
    )


class SandboxSettings(Section):
    """The simulated Connectif. `speed` divides its minute: 60 makes it one second."""

    speed: float = Field(default=1.0, gt=0)
    window: Literal["fixed", "sliding"] = "fixed"
    switches: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="readings of unknown points; `pipeline sandbox --list-switches`"
    )
    calls_kept: int = Field(default=200_000, ge=1_000, description="calls per account remembered one by one")


class Settings(Section):
    """All settings. `data_dir` holds the spool, the state stores and the embedded broker's log."""

    data_dir: Path = Path("data")
    kafka: KafkaSettings = KafkaSettings()
    gateway: GatewaySettings = GatewaySettings()
    translate: TranslateSettings = TranslateSettings()
    deliver: DeliverSettings = DeliverSettings()
    sandbox: SandboxSettings = SandboxSettings()
    accounts: dict[Name, AccountSettings] = Field(default_factory=dict)
    stores: dict[Name, StoreSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _stores_name_known_accounts(self) -> Self:
        for name, store in self.stores.items():
            if store.account not in self.accounts:
                raise ValueError(f"stores.{name}.account: no account {store.account!r} in the settings")
        return self


def path_of(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file: the one named, else `PIPELINE_CONFIG`, else `pipeline.toml`."""
    return path or Path(environ.get("PIPELINE_CONFIG", DEFAULT_PATH))


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file and the environment.

    Args:
        path: the file; else `PIPELINE_CONFIG`, else `pipeline.toml`.
        environ: the environment, for tests.

    Raises:
        SettingsError: naming each wrong field, without the value.
    """
    environ = os.environ if environ is None else environ
    path = path_of(path, environ)
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no settings file {path}",
            hint="name one with --config or PIPELINE_CONFIG, or start from pipeline.example.toml",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    return parse(tree, environ)


def parse(tree: dict[str, Any], environ: Mapping[str, str]) -> Settings:
    """Build the settings from a tree and the environment's overrides; errors as in `load`."""
    _refuse_plain_secrets(tree)
    for name, text in environ.items():
        if name.upper().startswith("PIPELINE__"):
            _override(tree, name[len("PIPELINE__") :].split("__"), text)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        lines = _complaints(error.errors(include_input=False, include_url=False))
        raise SettingsError(
            "the settings are not usable:\n  " + "\n  ".join(lines), hint="correct these and start again"
        ) from None


#: pydantic's errors in the words of a settings file.
_WORDS = {
    "extra_forbidden": "there is no such setting",
    "missing": "must be set",
    "tuple_type": "must be a list: [ ... ]",
    "model_type": "must be a table",
    "dict_type": "must be a table",
}
_NAME_RULE = "a name is made of a-z, 0-9, - and _, and begins with a letter or digit"


def _complaints(errors: list[ErrorDetails]) -> list[str]:
    """One line for each wrong field; the length of a list is no matter while its items are wrong."""
    places = [item["loc"] for item in errors]
    lines = []
    for item in errors:
        place = item["loc"]
        if item["type"] == "too_short" and any(
            len(p) > len(place) and p[: len(place)] == place for p in places
        ):
            continue
        message = _WORDS.get(item["type"], item["msg"].removeprefix("Value error, "))
        if place[-1:] == ("[key]",):
            place, message = place[:-1], _NAME_RULE
        lines.append(": ".join(filter(None, (".".join(map(str, place)), message))))
    return lines


def _override(tree: dict[str, Any], path: list[str], text: str) -> None:
    """Set one value; a path's part meets an existing key whatever its case and with `_` for `-`."""
    *parents, last = path
    for part in parents:
        tree = tree.setdefault(_meet(tree, part), {})
        if not isinstance(tree, dict):
            raise SettingsError(f"PIPELINE__{'__'.join(path)} points into a value that is not a table")
    try:
        value: Any = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text
    tree[_meet(tree, last)] = value


def _meet(tree: Mapping[str, Any], part: str) -> str:
    folded = part.lower().replace("-", "_")
    return next((key for key in tree if key.lower().replace("-", "_") == folded), part.lower())


def _refuse_plain_secrets(tree: Mapping[str, Any]) -> None:
    """Secrets stand in the file only where every call stays on this machine (a sandbox)."""
    accounts = _tables(tree.get("accounts"))
    sandboxes = {name for name, account in accounts.items() if is_loopback(str(account.get("base_url", "")))}
    for name, account in accounts.items():
        if isinstance(account.get("api_key"), str) and name not in sandboxes:
            raise SettingsError(
                "the secret stands in the settings file",
                store=name,
                field="api_key",
                hint='use { env = "NAME" } or { file = "path" }',
            )
    for name, store in _tables(tree.get("stores")).items():
        secrets = store.get("secrets")
        plain = isinstance(secrets, str | list) and any(isinstance(secret, str) for secret in secrets)
        if plain and str(store.get("account")) not in sandboxes:
            raise SettingsError(
                "a secret stands in the settings file",
                store=name,
                field="secrets",
                hint='use { env = "NAME" } or { file = "path" }',
            )


def _tables(value: object) -> dict[str, Mapping[str, Any]]:
    """The tables in a table; what has another shape is for the validation to name."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: table for name, table in items if isinstance(table, Mapping)}


def require_stores(settings: Settings) -> None:
    """For what is of no use without a store.

    Raises:
        SettingsError: there is none.
    """
    if not settings.stores:
        raise SettingsError(
            "there is no store in the settings", hint="add [stores.<name>], as pipeline.example.toml has it"
        )


def shared_accounts(settings: Settings) -> list[str]:
    """A warning for each account that several stores feed."""
    feeding: dict[str, list[str]] = {}
    for name, store in settings.stores.items():
        feeding.setdefault(store.account, []).append(name)
    return [
        f"stores {' and '.join(names)} feed one account, {account}: right only if no two of them ever give "
        "the same id to an order or a product, since one would take the place of the other"
        for account, names in feeding.items()
        if len(names) > 1
    ]


def shared_secrets(settings: Settings) -> list[str]:
    """A warning for each group of stores that one secret signs for."""
    signing: dict[str, list[str]] = {}
    for name, store in settings.stores.items():
        for secret in store.secrets:
            signing.setdefault(secret.get_secret_value(), []).append(name)
    return [
        f"stores {' and '.join(names)} share a secret: a webhook of one that is sent to the address of "
        "another is taken for the other's; give each store a secret of its own where the shop allows it"
        for names in dict.fromkeys(tuple(dict.fromkeys(names)) for names in signing.values())
        if len(names) > 1
    ]


def is_loopback(url: str) -> bool:
    """Whether calls to the URL stay on this machine: a sandbox's."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if re.fullmatch(r"localhost|.*\.localhost", host):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
