"""Settings: `pipeline.toml`, overridden by the environment (`PIPELINE__ACCOUNTS__ACME_ES__...`)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator

from pipeline import config_tree, config_values
from pipeline.config_accounts import AccountSettings
from pipeline.config_section import Section
from pipeline.config_stages import (
    ArchiveSettings,
    DeliverSettings,
    GatewaySettings,
    KafkaSettings,
    SandboxSettings,
    SyncSettings,
    TracesSettings,
    TranslateSettings,
)
from pipeline.config_stores import (
    SECRETS_OF_STORES,
    OfItsPlatform,
    in_words_of_the_store,
    meeting_ids,
    of_store,
)
from pipeline.config_tree import RefusedTable
from pipeline.config_values import ALL_SECRETS, Name, Secret, SecretNames, is_loopback
from pipeline.errors import SettingsError
from pipeline.shops.settings import StoreSettings

DEFAULT_PATH = Path("pipeline.toml")
#: Stand in a label or a record where no store does.
NOT_NAMES_OF_STORES = {"unknown", "coupons"}


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
    traces: TracesSettings = Field(default=TracesSettings(), description="traces of deliveries")
    sandbox: SandboxSettings = Field(default=SandboxSettings(), description="the simulated Connectif")
    accounts: dict[Name, AccountSettings] = Field(default_factory=dict, description="Connectif's accounts")
    stores: dict[Name, Annotated[StoreSettings, OfItsPlatform]] = Field(
        default_factory=dict, description="the shops' feeds"
    )

    _refused: dict[str, RefusedTable] = PrivateAttr(default_factory=dict)

    @property
    def refused(self) -> Mapping[str, RefusedTable]:
        """The stores and accounts that were left out as they cannot be used: `stores.acme-es`, and why."""
        return self._refused

    @property
    def refused_stores(self) -> list[str]:
        """The names of the stores among them."""
        return [place.removeprefix("stores.") for place in self._refused if place.startswith("stores.")]

    @model_validator(mode="after")
    def _stores_name_known_accounts(self) -> Self:
        for name, store in self.stores.items():
            place = "routes" if store.routes else "account"
            for account in store.accounts:
                if account not in self.accounts:
                    raise of_store(name, f"{place}: no account {account!r} in the settings that can be used")
            if name in NOT_NAMES_OF_STORES:
                raise of_store(name, f"{name!r} is reserved; choose another name")
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
        meeting = meeting_ids(self.stores)
        if meeting is not None:
            raise of_store(*meeting)
        return self

    @model_validator(mode="after")
    def _platforms_have_no_complaints(self) -> Self:
        for name, store in self.stores.items():
            for account in store.accounts:
                complaint = store.complaint(self.accounts[account].authorised_domains)
                if complaint is not None:
                    raise of_store(name, complaint)
        return self


def path_of(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file: the one named, else `PIPELINE_CONFIG`, else `pipeline.toml`."""
    return path or Path(environ.get("PIPELINE_CONFIG", DEFAULT_PATH))


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    secrets: SecretNames = ALL_SECRETS,
    isolate: bool = False,
) -> Settings:
    """Read the settings file and the environment. Relative paths in it are relative to the file.

    Args:
        path: the file; else `PIPELINE_CONFIG`, else `pipeline.toml`.
        environ: the environment, for tests.
        secrets: those that are needed; the others are not read.
        isolate: leave out a store or an account that cannot be used (`Settings.refused`), and go on.

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
    return parse(tree, environ, file=path, secrets=secrets, isolate=isolate)


def parse(
    tree: dict[str, Any],
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    secrets: SecretNames = ALL_SECRETS,
    isolate: bool = False,
) -> Settings:
    """Build the settings from a tree and the environment's overrides; errors as in `load`.

    Args:
        tree: as TOML gives it; the overrides are laid into it, and what is refused is taken out of it.
        environ: the environment.
        file: where the tree was read; relative paths are relative to it. None: to the working directory.
        secrets: those that are needed; the others are not read.
        isolate: as for `load`.
    """
    plain = config_tree.plain_secrets(tree, SECRETS_OF_STORES)
    overrides = sorted(name for name in environ if name.upper().startswith("PIPELINE__"))
    for name in overrides:
        config_tree.override(tree, name[len("PIPELINE__") :].split("__"), environ[name])
    config_tree.refuse_plain_secrets(tree, plain)
    if file is not None:
        tree.setdefault("data_dir", str(Settings.model_fields["data_dir"].default))
        config_tree.anchor(tree, file.absolute().parent)
    refused: dict[str, RefusedTable] = {}
    while True:
        try:
            settings = Settings.model_validate(tree, context={config_values.NEEDED_SECRETS: secrets})
        except ValidationError as error:
            errors = [
                in_words_of_the_store(item) for item in error.errors(include_input=False, include_url=False)
            ]
            alone = config_tree.refused_tables(tree, errors) if isolate else {}
            if not alone:
                raise _unusable(config_tree.complaints(errors), file, overrides) from None
            refused |= alone
        else:
            settings._refused.update(refused)  # noqa: SLF001 - it is made here
            return settings


def _unusable(lines: list[str], file: Path | None, overrides: list[str]) -> SettingsError:
    place = "the settings" if file is None else f"the settings in {file}"
    also = f"; from the environment come {', '.join(overrides)}" if overrides else ""
    return SettingsError(
        f"{place} are not usable:\n  " + "\n  ".join(lines), hint=f"correct these and start again{also}"
    )


__all__ = ["Name", "Section", "StoreSettings", "is_loopback"]
