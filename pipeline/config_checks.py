"""What settings that can be read may still lack, or share where each should have its own."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.config_values import UnreadSecret
from pipeline.errors import SettingsError


def require_stores(settings: Settings) -> None:
    """For what is of no use without a store.

    Raises:
        SettingsError: there is none.
    """
    if not settings.stores and not settings.refused:
        raise SettingsError(
            "there is no store in the settings", hint="add [stores.<name>], as `pipeline settings` shows it"
        )


def require_store(settings: Settings, store: str, *, field: str = "stores") -> None:
    """For what is about one store.

    Raises:
        SettingsError: it is not there, or cannot be used.
    """
    if store in settings.stores:
        return
    refused = settings.refused.get(f"stores.{store}")
    if refused is not None:
        raise SettingsError("; ".join(refused.complaints), hint="correct it, then ask again", store=store)
    known = ", ".join(settings.stores) or "none"
    raise SettingsError(
        f"there is no store {store!r} in the settings", field=field, hint=f"there are: {known}"
    )


def shared_secrets(settings: Settings) -> list[str]:
    """A warning for each group of stores that one secret signs for."""
    signing: dict[str, list[str]] = {}
    for name, store in settings.stores.items():
        for secret in store.secrets:
            if isinstance(secret, UnreadSecret):
                continue
            signing.setdefault(secret.get_secret_value(), []).append(name)
    return [
        f"stores {' and '.join(names)} share a secret: a webhook of one that is sent to the address of "
        "another is taken for the other's; give each store a secret of its own where the shop allows it"
        for names in dict.fromkeys(tuple(dict.fromkeys(names)) for names in signing.values())
        if len(names) > 1
    ]
