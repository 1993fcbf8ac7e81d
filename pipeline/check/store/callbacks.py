"""Connectif's newsletter callbacks: the address with the store's token is known, and another one is refused.

Neither request names a person, so that nothing is kept of them.
"""

from __future__ import annotations

import secrets

import httpx

from pipeline.check.store.context import StoreCheck
from pipeline.check.store.result import Step, fault, ok, skipped

NAME, CONSENT = "newsletter callbacks", "newsletter consent"
#: What the gateway answers to a callback that names no person, by the right token and by a wrong one.
_INCOMPLETE, _REFUSED = 400, 401


async def callbacks(check: StoreCheck) -> list[Step]:
    """Both callbacks of each account for which the store's settings have tokens."""
    tokens = [token for tokens in check.store.callbacks.values() for token in tokens]
    if not tokens:
        return [skipped(NAME, "the store has no callback_tokens in the settings")]
    for what in ("subscribed", "unsubscribed"):
        for token, expected in (
            *((one.get_secret_value(), _INCOMPLETE) for one in tokens),
            (secrets.token_urlsafe(24), _REFUSED),
        ):
            status = await _status(check, address_of(check, token, what))
            if status != expected:
                kind = "a wrong token" if expected == _REFUSED else "the settings' token"
                said = f"{address_of(check, '...', what)} answers {status} to {kind}, not {expected}"
                return [
                    fault(
                        NAME, said, "start the gateway again with these settings; see what stands before it"
                    )
                ]
    return [ok(NAME, "the gateway knows both addresses, and refuses a wrong token")]


def address_of(check: StoreCheck, token: str, what: str) -> str:
    """Of a callback."""
    place = (check.settings.gateway.public_url or check.gateway).rstrip("/")
    return f"{place}/callbacks/{check.name}/{token}/{what}"


async def _status(check: StoreCheck, address: str) -> int | str:
    try:
        return (await check.web.get(address)).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
