"""Requests to the webhooks' address, signed as the shop signs them: a right signature, and a wrong one."""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple

import httpx

from pipeline.check.store.context import StoreCheck
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped
from pipeline.shops.probe import Message

NAME = "signature"
_UNAUTHORISED, _NO_STORE = 401, 404


class Posted(NamedTuple):
    """What came of a request: a status, or why there was none."""

    status: int | None
    why: str = ""

    @property
    def taken(self) -> bool:
        """Whether the gateway kept the event."""
        return self.status is not None and httpx.codes.is_success(self.status)


async def post(check: StoreCheck, message: Message, secret: str) -> Posted:
    """Send a webhook of ours to the public address where there is one, else to this machine's gateway."""
    probe = check.platform.probe
    assert probe is not None  # noqa: S101 - asked before
    signed = probe.signed(check.store, secret, message, int(time.time()), check.trial.number)
    address = place(check) + (f"?{signed.query}" if signed.query else "")
    try:
        answer = await check.web.post(address, content=message.body, headers=dict(signed.headers))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Posted(None, type(error).__name__)
    return Posted(answer.status_code)


def place(check: StoreCheck) -> str:
    """Where webhooks are sent to."""
    return check.address or f"{check.gateway.rstrip('/')}{check.path}"


async def signature(check: StoreCheck) -> list[Step]:
    """Whether what the store's secrets sign is taken, and what another one signs is refused.

    The message says nothing: it counts as `ignored`, and makes no record.
    """
    probe = check.platform.probe
    if probe is None:
        return [skipped(NAME, "how this platform signs is not known to the check")]
    if not probe.can_sign(check.store):
        said = "only Adobe can sign with its keys: see that a sample event of its console is answered 200"
        return [by_hand(NAME, said)]
    message = probe.harmless(check.trial.number)
    for number, secret in enumerate(check.store.secrets, 1):
        posted = await post(check, message, secret.get_secret_value())
        if not posted.taken:
            return [_not_taken(check, number, posted)]
    wrong = await post(check, message, secrets.token_urlsafe(32))
    if wrong.status != _UNAUTHORISED:
        said = f"{place(check)} answers {wrong.status or wrong.why} to a wrong signature, not 401"
        return [
            fault(
                NAME,
                said,
                "see what stands before the gateway: it must hand on bodies and answers as they are",
            )
        ]
    return [ok(NAME, f"{place(check)} takes what the secret signs, and refuses a wrong signature")]


def _not_taken(check: StoreCheck, number: int, posted: Posted) -> Step:
    which = "" if len(check.store.secrets) == 1 else f" {number}"
    if posted.status == _UNAUTHORISED:
        said = f"{place(check)} refuses what secret{which} of the settings signs (401)"
        todo = "the gateway runs with other settings: start it again; or a proxy changes bodies or headers"
    elif posted.status == _NO_STORE:
        said, todo = (
            f"{place(check)} is no address of a gateway with this store (404)",
            "see public_url, and start the gateway again",
        )
    elif posted.status is None:
        said = f"{place(check)} does not answer ({posted.why})"
        todo = "start `pipeline up`, or name the gateway with --gateway"
    else:
        said, todo = f"{place(check)} answers {posted.status} to a signed webhook", "see the gateway's log"
    return fault(NAME, said, todo)
