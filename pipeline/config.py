"""Settings: `pipeline.toml`, overridden by the environment (`PIPELINE__ACCOUNTS__ACME_ES__...`)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from pipeline import config_tree, config_values
from pipeline.config_section import Section
from pipeline.config_stores import SECRETS_OF_STORES, OfItsPlatform, in_words_of_the_store, meeting_ids
from pipeline.config_values import CouponSetId, Name, Secret, is_loopback
from pipeline.errors import SettingsError
from pipeline.shops.settings import StoreSettings

DEFAULT_PATH = Path("pipeline.toml")
#: Stand in a label or a record where no store does.
NOT_NAMES_OF_STORES = {"unknown", "coupons"}


class KafkaSettings(Section):
    """Where Kafka is, and how its topics are made.

    Partition counts are fixed for the life of a topic (docs/adr/0003).
    """

    bootstrap: Annotated[str, AfterValidator(config_values.servers)] | None = Field(
        default=None,
        description="addresses of a cluster; left out, the embedded broker runs on this machine",
        examples=["kafka-1:9092,kafka-2:9092"],
    )
    security: Annotated[dict[str, str | SecretStr], BeforeValidator(config_values.security)] = Field(
        default_factory=dict,
        description="how to connect to that cluster, by librdkafka's names; its passwords are secrets by "
        "reference",
        examples=[
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "pipeline",
                "sasl.password": {"env": "KAFKA_PASSWORD"},
                "ssl.ca.location": "kafka-ca.pem",
            }
        ],
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = Field(
        default="", description='before the names of topics and groups, to share a cluster; such as "shops."'
    )
    replication: int = Field(default=1, ge=1, description="copies of each topic; 3 on three brokers or more")
    min_insync: int = Field(
        default=1, ge=1, description="copies that confirm before a message counts as kept; 2 with 3 copies"
    )
    shop_partitions: int = Field(
        default=8, ge=1, le=1000, description="of the topics of shops' events; fixed once they are there"
    )
    account_partitions: int = Field(
        default=8, ge=1, le=1000, description="of the topics of accounts' records; fixed once they are there"
    )
    shop_retention_days: int = Field(default=400, ge=1, description="how far back a replay can reach")
    record_retention_days: int = Field(
        default=14, ge=1, description="how long records for Connectif are kept"
    )
    receipt_retention_days: int = Field(default=90, ge=1, description="how long receipts are kept")
    dead_retention_days: int = Field(default=400, ge=1, description="how long dead letters are kept")
    max_message_bytes: int = Field(
        default=6_000_000, ge=1_000_000, description="largest message; above gateway.max_body_bytes"
    )
    session_timeout: float = Field(
        default=15.0, ge=6, le=300, description="seconds until a silent worker's partitions go to another"
    )
    java: Literal["bundled", "system"] = Field(
        default="bundled", description="which Java runs the embedded broker"
    )
    flush_each_message: bool = Field(
        default=False,
        description="the embedded broker writes each message through to the disk before it confirms it: then "
        "a power cut loses nothing that was confirmed, and each webhook waits for the disk",
    )


class GatewaySettings(Section):
    """Limits of the webhook side. Sizes in bytes, times in seconds."""

    public_url: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="address at which shops reach the gateway, before /webhooks; `pipeline check` compares "
        "the shops' webhooks with it",
        examples=["https://hooks.acme.example"],
    )
    max_body_bytes: int = Field(default=5_000_000, ge=1_000, description="larger bodies are answered 413")
    spool_max_bytes: int = Field(
        default=2_000_000_000,
        ge=0,
        description="what is kept on disk while Kafka is away; beyond it shops are answered 503",
    )
    confirm_timeout: float = Field(default=2.0, gt=0, description="wait for Kafka before the spool takes it")
    drain_timeout: float = Field(default=20.0, gt=0, description="on SIGTERM, for what is in flight")
    read_timeout: float = Field(default=15.0, ge=1, description="for a whole request to arrive")
    idle_timeout: float = Field(default=75.0, ge=1, description="of a connection between requests")
    write_timeout: float = Field(default=15.0, ge=1, description="for a peer to take what was answered")
    max_held_bytes: int = Field(default=256_000_000, ge=5_000_000, description="bodies in memory, together")


class TranslateSettings(Section):
    """The translate stage."""

    batch: int = Field(default=500, ge=1, description="most events of one round")
    buffer: int = Field(default=4_000, ge=100, description="events held in memory before the rules")
    state_days: int = Field(
        default=400, ge=1, description="how long repeats and overtaken versions of an entity are recognised"
    )
    recent_deliveries: int = Field(default=8, ge=1, description="delivery ids remembered per entity")
    retired_stores: frozenset[Name] = Field(
        default=frozenset(),
        description="stores taken out of the settings on purpose: their events become dead letters; those of "
        "any other unknown store hold their partition until the settings have it",
    )


class DeliverSettings(Section):
    """The deliver stage. Times in seconds."""

    call_timeout: float = Field(default=30.0, gt=0, description="how long a call may take")
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
        description="an older `subscribed` is sent only once consent was read from Connectif",
    )
    import_min_rows: int = Field(default=4, ge=2, description="fewer waiting rows go as single calls")
    imports_at_once: int = Field(
        default=5,
        ge=1,
        le=10,
        description="unfinished imports per account; Connectif takes 10 from everybody",
    )
    import_max_bytes: int = Field(
        default=45_000_000, ge=1_000, le=50_000_000, description="largest file of an import"
    )
    import_max_rows: int = Field(default=50_000, ge=2, description="most rows of an import")
    import_poll: float = Field(default=2.0, gt=0, description="shortest time between polls of an import")
    import_stuck_after: float = Field(
        default=3_600.0,
        gt=0,
        description="an import that is not done by then is given up, and its rows go again",
    )
    retry_min: float = Field(default=1.0, gt=0, description="wait before a first retry; it doubles each time")
    retry_max: float = Field(default=300.0, gt=0, description="longest wait before a retry")
    retry_for: float = Field(
        default=3_600.0, ge=0, description="how long a record is tried whose answers cannot be used"
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
    dead_window: int = Field(default=200, ge=10, description="records whose endings are counted for that")
    state_days: int = Field(default=400, ge=1, description="how long what was last sent is remembered")


class SyncSettings(Section):
    """What is fetched from the shops' APIs."""

    call_timeout: float = Field(default=30.0, gt=0, description="how long a request to a shop may take")
    retry_for: float = Field(
        default=86_400.0,
        gt=0,
        description="how long a document is asked for that alone cannot be had; an absent shop is waited for",
    )


class ArchiveSettings(Section):
    """The shops' events as Parquet files, kept for as long as you like; needs the extra `archive`."""

    url: Annotated[str, AfterValidator(config_values.storage_url)] | None = Field(
        default=None,
        description="where the files go, as fsspec names it: file:///directory, or s3://bucket/folder with "
        "the package s3fs and keys in the environment; left out, nothing is archived",
        examples=["file:///srv/archive"],
    )
    max_wait: float = Field(
        default=86_400.0,
        ge=1,
        description="seconds until what arrived is archived, at the latest; shorter: more, smaller files",
    )


class CouponSetSettings(Section):
    """A coupon set of Connectif that is kept filled from codes given to it in advance."""

    set_id: CouponSetId = Field(description="its id in Connectif", examples=["6072374b4d3ceb76e44d4323"])
    low: int = Field(ge=1, description="top it up when fewer codes are available", examples=[200])
    batch: int = Field(default=500, ge=1, description="codes of one top-up")
    every: float = Field(default=600.0, ge=10, description="seconds between checks; each costs a call")


class AccountSettings(Section):
    """One Connectif account: a store in one language and one currency, with its own budget."""

    api_key: Annotated[Secret, AfterValidator(config_values.key_of_connectif)] = Field(
        description='"id:secret", from Store settings > API and IP access > API Keys',
        examples=[{"env": "CONNECTIF_ACME_ES"}],
    )
    base_url: Annotated[str, AfterValidator(config_values.web_address)] = Field(
        default="https://api.connectif.cloud",
        description="of Connectif; http:// only for a sandbox on this machine or in a private network",
    )
    calls_per_minute: int = Field(default=100, ge=1, le=1_000_000_000, description="what the account may do")
    reserve_calls: int = Field(default=0, ge=0, description="of these a minute, left to others' scripts")
    window_seconds: float = Field(
        default=60.0, ge=0.001, description="the limit's minute; shorter on sandboxes"
    )
    authorised_domains: tuple[Annotated[str, AfterValidator(config_values.web_origin)], ...] = Field(
        default=(),
        description="as in Connectif, with https://: Store settings > Channels > Web > Advanced",
        examples=[["https://acme.example"]],
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None,
        description="the account's; orders in another are dead letters. Left out, orders in any pass",
        examples=["EUR"],
    )
    purchases_since: date | None = Field(
        default=None,
        description="orders placed before this day make no purchase; left out, all do",
        examples=[date(2024, 1, 1)],
    )
    coupon_field: Annotated[str, Field(pattern=r"^[A-Za-z0-9]\w{0,99}$")] | None = Field(
        default=None,
        description="id of the contact field that gets the codes an order used; it must exist",
        examples=["last_coupon"],
    )
    coupons: dict[Name, CouponSetSettings] = Field(
        default_factory=dict, description="coupon sets to keep filled, by names of your choice"
    )

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


class SandboxSettings(Section):
    """The simulated Connectif."""

    speed: float = Field(default=1.0, gt=0, description="what its minute is divided by: 60 makes it a second")
    window: Literal["fixed", "sliding"] = Field(default="fixed", description="kind of its limit")
    switches: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="readings of unknown points; `pipeline sandbox --list-switches`"
    )
    calls_kept: int = Field(default=200_000, ge=1_000, description="calls per account remembered one by one")


class Settings(Section):
    """All settings."""

    data_dir: Annotated[Path, AfterValidator(config_values.some_path)] = Field(
        default=Path("data"),
        description="a directory of the pipeline's own, on a disk that stays: the gateway's spool, the "
        "workers' state, the embedded broker's log. A relative one is relative to this file",
    )
    http_token: Annotated[Secret, AfterValidator(config_values.http_token)] | None = Field(
        default=None,
        description="what whoever asks a worker about its state from another machine must send; left out, "
        "only callers on the worker's own machine are answered",
        examples=[{"env": "PIPELINE_HTTP_TOKEN"}],
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="the cluster and its topics")
    gateway: GatewaySettings = Field(default=GatewaySettings(), description="limits of the webhook side")
    translate: TranslateSettings = Field(default=TranslateSettings(), description="the translate stage")
    deliver: DeliverSettings = Field(default=DeliverSettings(), description="the deliver stage")
    sync: SyncSettings = Field(default=SyncSettings(), description="the requests to the shops' APIs")
    archive: ArchiveSettings = Field(default=ArchiveSettings(), description="the archive of events")
    sandbox: SandboxSettings = Field(default=SandboxSettings(), description="the simulated Connectif")
    accounts: dict[Name, AccountSettings] = Field(default_factory=dict, description="Connectif's accounts")
    stores: dict[Name, Annotated[StoreSettings, OfItsPlatform]] = Field(
        default_factory=dict, description="the shops' feeds"
    )

    @model_validator(mode="after")
    def _stores_name_known_accounts(self) -> Self:
        for name, store in self.stores.items():
            place = "routes" if store.routes else "account"
            for account in store.accounts:
                if account not in self.accounts:
                    raise ValueError(f"stores.{name}.{place}: no account {account!r} in the settings")
            if name in NOT_NAMES_OF_STORES:
                raise ValueError(f"stores.{name}: {name!r} is reserved; choose another name")
        return self

    @model_validator(mode="after")
    def _archived_before_it_is_deleted(self) -> Self:
        most = self.kafka.shop_retention_days * 43_200
        if self.archive.url is not None and self.archive.max_wait > most:
            raise ValueError(
                f"archive.max_wait: at most {most}, half of kafka.shop_retention_days in seconds, or "
                "events would be deleted before they are archived"
            )
        return self

    @model_validator(mode="after")
    def _ids_do_not_meet(self) -> Self:
        complaint = meeting_ids(self.stores)
        if complaint is not None:
            raise ValueError(complaint)
        return self

    @model_validator(mode="after")
    def _platforms_have_no_complaints(self) -> Self:
        for name, store in self.stores.items():
            for account in store.accounts:
                complaint = store.complaint(self.accounts[account].authorised_domains)
                if complaint is not None:
                    raise ValueError(f"stores.{name}.{complaint}")
        return self


def path_of(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file: the one named, else `PIPELINE_CONFIG`, else `pipeline.toml`."""
    return path or Path(environ.get("PIPELINE_CONFIG", DEFAULT_PATH))


def load(
    path: Path | None = None, environ: Mapping[str, str] | None = None, *, secrets: bool = True
) -> Settings:
    """Read the settings file and the environment. Relative paths in it are relative to the file.

    Args:
        path: the file; else `PIPELINE_CONFIG`, else `pipeline.toml`.
        environ: the environment, for tests.
        secrets: False leaves them unread, for what needs none.

    Raises:
        SettingsError: naming each wrong field, without the value.
    """
    environ = os.environ if environ is None else environ
    path = path_of(path, environ)
    try:
        # A byte order mark is what some editors put before the text.
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no settings file {path}",
            hint=f"name one with --config or PIPELINE_CONFIG, or make one: pipeline settings --write {path}",
        ) from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}", hint="correct its rights") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}", hint="correct that place") from error
    except RecursionError:
        raise SettingsError(
            f"{path} is not valid TOML: too deep", hint="no setting is a list of lists"
        ) from None
    return parse(tree, environ, file=path, secrets=secrets)


def parse(
    tree: dict[str, Any],
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    secrets: bool = True,
) -> Settings:
    """Build the settings from a tree and the environment's overrides; errors as in `load`.

    Args:
        tree: as TOML gives it; the overrides are laid into it.
        environ: the environment.
        file: where the tree was read; relative paths are relative to it. None: to the working directory.
        secrets: False leaves them unread.
    """
    plain = config_tree.plain_secrets(tree, SECRETS_OF_STORES)
    overrides = sorted(name for name in environ if name.upper().startswith("PIPELINE__"))
    for name in overrides:
        config_tree.override(tree, name[len("PIPELINE__") :].split("__"), environ[name])
    config_tree.refuse_plain_secrets(tree, plain)
    if file is not None:
        tree.setdefault("data_dir", str(Settings.model_fields["data_dir"].default))
        config_tree.anchor(tree, file.absolute().parent)
    try:
        return Settings.model_validate(tree, context={config_values.READ_SECRETS: secrets})
    except ValidationError as error:
        errors = [
            in_words_of_the_store(item) for item in error.errors(include_input=False, include_url=False)
        ]
        lines = config_tree.complaints(errors)
        place = "the settings" if file is None else f"the settings in {file}"
        also = f"; from the environment come {', '.join(overrides)}" if overrides else ""
        raise SettingsError(
            f"{place} are not usable:\n  " + "\n  ".join(lines), hint=f"correct these and start again{also}"
        ) from None


__all__ = ["Name", "Section", "StoreSettings", "is_loopback"]
