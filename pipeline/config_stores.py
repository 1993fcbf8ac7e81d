"""A store's table is read by the model of its platform; errors name the store's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from pipeline.shops.ids import FedStore, meeting
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings

#: The settings of a store that are secrets, by platform.
SECRETS_OF_STORES = {name: platform.secret_settings for name, platform in PLATFORMS.items()}
#: Position of the platform in an error's location: after `stores` and the store's name.
_PLATFORM = 2


def of_store(name: str, complaint: str) -> PydanticCustomError:
    """An error about a store that its own table does not show; `complaint` begins with the setting's name."""
    return PydanticCustomError(
        "of_store", "stores.{store}.{complaint}", {"store": name, "complaint": complaint}
    )


def meeting_ids(stores: Mapping[str, StoreSettings]) -> tuple[str, str] | None:
    """A store that feeds the account of another though their ids could be the same, and an example."""
    fed = [FedStore(name, store, PLATFORMS[store.platform]) for name, store in stores.items()]
    for one, other in _sharing(fed):
        shared = [name for name in one.settings.accounts if name in other.settings.accounts]
        ids = meeting(one, other)
        if ids is not None:
            return other.name, (
                f"id_prefix: {one.name} and {other.name} feed one account, {shared[0]}, "
                f"and order {ids[0]} of {one.name} would take the place of order {ids[1]} of {other.name}: "
                f'give one of them an `id_prefix`, such as "{other.name[:18]}-", or an account of its own'
            )
    return None


def _sharing(fed: Sequence[FedStore]) -> Iterator[tuple[FedStore, FedStore]]:
    """The pairs of stores that feed an account together; of hundreds of stores, few do."""
    feeding: dict[str, list[int]] = {}
    for number, store in enumerate(fed):
        for account in store.settings.accounts:
            feeding.setdefault(account, []).append(number)
    for number, store in enumerate(fed):
        others = {other for account in store.settings.accounts for other in feeding[account]}
        for other in sorted(others):
            if other > number:
                yield store, fed[other]


class OfItsPlatform:
    """Annotates `StoreSettings`: a table is read by the model of the platform that it names."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A schema for each platform, chosen by the table's `platform`."""
        of_platforms = {name: handler.generate_schema(known.settings) for name, known in PLATFORMS.items()}
        return core_schema.tagged_union_schema(of_platforms, _platform_of)


def _platform_of(store: object) -> str | None:
    if isinstance(store, StoreSettings):
        return store.platform
    if not isinstance(store, Mapping):
        return next(iter(PLATFORMS))  # any model says that it must be a table
    named = store.get("platform")
    return None if named is None else str(named)


def in_words_of_the_store(error: ErrorDetails) -> ErrorDetails:
    """An error, whose location in a store's table must not include the platform.

    A setting of other platforms is refused as that.
    """
    place = error["loc"]
    if place[:1] != ("stores",):
        return error
    if error["type"].startswith("union_tag_"):
        given, known = error.get("ctx", {}).get("tag"), ", ".join(PLATFORMS)
        said = f"must be set, to one of {known}" if given is None else f"{given[:60]} is none of {known}"
        return {**error, "loc": (*place, "platform"), "msg": said}
    if len(place) <= _PLATFORM or place[_PLATFORM] not in PLATFORMS:
        return error
    name, platform, *inside = place[1:]
    error = {**error, "loc": ("stores", name, *inside)}
    owners = [other for other, known in PLATFORMS.items() if known.own_settings & set(inside[:1])]
    if error["type"] != "extra_forbidden" or not owners:
        return error
    said = f"`{inside[0]}` is a setting of {' and '.join(owners)}; store {name} is {platform}"
    return {**error, "type": "setting_of_another_platform", "msg": said}
