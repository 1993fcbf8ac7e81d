"""The settings of each stage: Kafka and its topics, the gateway, the workers, the archive, the sandbox."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from pipeline import config_values
from pipeline.config_section import Section
from pipeline.config_values import Name


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


class TracesSettings(Section):
    """W3C trace context: one trace for each delivery (docs/traces.md)."""

    enabled: bool = Field(
        default=False,
        description="whether the trace context that a webhook comes with is passed on, or one begun for it",
    )
    endpoint: Annotated[str, AfterValidator(config_values.web_address)] | None = Field(
        default=None,
        description="of an OpenTelemetry collector that takes OTLP over HTTP; needs the extra otel; left "
        "out, no spans are exported",
        examples=["http://127.0.0.1:4318"],
    )
    sample: float = Field(
        default=1.0, ge=0, le=1, description="share of the traces begun here that are exported"
    )


class SandboxSettings(Section):
    """The simulated Connectif."""

    speed: float = Field(default=1.0, gt=0, description="what its minute is divided by: 60 makes it a second")
    window: Literal["fixed", "sliding"] = Field(default="fixed", description="kind of its limit")
    switches: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="readings of unknown points; `pipeline sandbox --list-switches`"
    )
    calls_kept: int = Field(default=200_000, ge=1_000, description="calls per account remembered one by one")
