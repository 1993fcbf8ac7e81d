"""The demo's own settings: its stores and accounts, and a sandbox whose minute is shorter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from pipeline.config import Settings, load
from pipeline.demo.further import ACCESS, SETTINGS
from pipeline.demo.shops import EVERY, Shop
from pipeline.local.ports import HOST, free_port

CALLS_PER_MINUTE = 100
MINUTE = 60.0


def write(directory: Path, speed: float) -> tuple[Path, Settings]:
    """Write the settings file into `directory`, where all data will lie too, and read it.

    Args:
        directory: of this run alone.
        speed: what the sandbox's minute and all waiting for Connectif is divided by.
    """
    path = directory / "pipeline.toml"
    path.write_text(tomli_w.dumps(tree(directory, speed, free_port())), encoding="utf-8")
    # The caller's environment is for the caller's own pipeline.
    return path, load(path, environ={})


def tree(directory: Path, speed: float, sandbox_port: int) -> dict[str, Any]:
    """The settings; partitions are few, because each costs the embedded broker time at the start."""
    accounts = {
        name: {
            "api_key": f"{name}:demo",
            "base_url": f"http://{HOST}:{sandbox_port}",
            "calls_per_minute": CALLS_PER_MINUTE,
            "window_seconds": MINUTE / speed,
            "authorised_domains": [f"https://{shop.domain}" for shop in EVERY if shop.account == name],
            "currency": next(shop.currency for shop in EVERY if shop.account == name),
        }
        for name in dict.fromkeys(shop.account for shop in EVERY)
    }
    stores = {
        shop.name: {
            "platform": shop.platform,
            "account": shop.account,
            "domain": shop.domain,
            "secrets": [shop.secret],
            "timezone": shop.timezone,
            # By command alone: the demo may be running at the time of the daily one.
            "sync": {"daily": False},
            **SETTINGS.get(shop.platform, {}),
            **_api(shop, sandbox_port),
        }
        for shop in EVERY
    }
    return {
        "data_dir": str(directory),
        "kafka": {"shop_partitions": 4, "account_partitions": 4},
        "deliver": {
            "freshness": 60 / speed,
            "import_poll": max(0.05, 2 / speed),
            "retry_min": max(0.02, 1 / speed),
            "retry_max": max(0.5, 300 / speed),
        },
        "sandbox": {"speed": speed},
        "accounts": accounts,
        "stores": stores,
    }


def _api(shop: Shop, sandbox_port: int) -> dict[str, str]:
    """Where a shop's API answers, if it has one: in the sandbox."""
    return {"api_url": f"http://{HOST}:{sandbox_port}/_shops/{shop.name}"} if shop.platform in ACCESS else {}
