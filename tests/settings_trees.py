"""Settings as trees, as TOML gives them: an account on nothing, and stores that feed it."""

from __future__ import annotations

from typing import Any

#: An account whose Connectif nobody is.
ACCOUNT: dict[str, Any] = {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}


def store_tree(platform: str = "shopify", account: str = "acme", **changes: Any) -> dict[str, Any]:
    """A store of a platform, with these settings instead of or beside the usual ones."""
    return {"platform": platform, "account": account, "domain": "acme.example", "secrets": ["s"]} | changes


def stores_tree(**stores: dict[str, Any]) -> dict[str, Any]:
    """Stores, and the accounts that they name."""
    accounts = {store["account"]: ACCOUNT for store in stores.values()}
    return {"accounts": accounts, "stores": stores}
