"""Webhooks to ourselves, by the way that shops' webhooks take: signed for each store, and one for no store.

The gateway answers what begins as these do, and keeps nothing of it (`pipeline.shops.probe.unkept`): no
event, no record, and no store counts as alive by it. So the doctor may be asked every minute.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import httpx

from pipeline.config_values import is_loopback
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, problem, warning
from pipeline.shops.probe import DIGITS, Message, unkept
from pipeline.shops.registry import PLATFORMS

WEBHOOK = "webhook to itself"
#: Seconds for an answer, and webhooks at once.
ASK_SECONDS, AT_ONCE = 5.0, 8
_OK, _UNAUTHORISED, _UNAVAILABLE = 200, 401, 503


class Answered(NamedTuple):
    """What came of a webhook: a status, else why there is none; and the answer's word for an error."""

    status: int | None
    why: str = ""
    error: str = ""


class _Post(Protocol):
    """Sends a body to a path."""

    async def __call__(
        self, path: str, content: bytes, headers: Mapping[str, str], query: str = ""
    ) -> Answered: ...


def examine(context: Context) -> list[Finding]:
    """Send them, to the public address where the settings have one."""
    public = context.settings.gateway.public_url
    place = (public or context.gateway_here).rstrip("/")
    found = []
    if public is None:
        said = f"gateway.public_url is not in the settings: only {place} is tried, not the way shops take"
        found = [
            warning(WEBHOOK, said, "set it: the address before /webhooks at which shops reach the gateway")
        ]
    return [*found, *asyncio.run(_tried(context, place))]


async def _tried(context: Context, place: str) -> list[Finding]:
    room = asyncio.Semaphore(AT_ONCE)
    # A proxy of the environment is not for this machine's addresses.
    async with httpx.AsyncClient(
        timeout=ASK_SECONDS, follow_redirects=False, trust_env=not is_loopback(place)
    ) as client:

        async def post(path: str, content: bytes, headers: Mapping[str, str], query: str = "") -> Answered:
            async with room:
                address = f"{place}{path}" + (f"?{query}" if query else "")
                return await _posted(client, address, content, headers)

        stranger = f"/webhooks/none/pipeline-doctor-{secrets.token_hex(4)}"
        body = unkept(Message("", b"{}")).body
        gate = gate_of(place, await post(stranger, body, {"content-type": "application/json"}))
        if gate is not None:
            return [gate]
        names = list(context.settings.stores)
        answers = await asyncio.gather(*(_of_store(context, name, post) for name in names))
    return list(judged(place, dict(zip(names, answers, strict=True))))


async def _of_store(context: Context, name: str, post: _Post) -> Answered | None:
    """The worst answer to what each of its secrets signs."""
    store = context.settings.stores[name]
    probe = PLATFORMS[store.platform].probe
    if probe is None or not probe.can_sign(store):
        return None
    number = f"9{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    message = unkept(probe.harmless(number))
    answered = Answered(_OK)
    for secret in store.secrets:
        signed = probe.signed(store, secret.get_secret_value(), message, int(time.time()), number)
        path = f"/webhooks/{store.platform}/{name}"
        answered = await post(path, message.body, dict(signed.headers), signed.query)
        if answered.status != _OK:
            break
    return answered


async def _posted(
    client: httpx.AsyncClient, address: str, content: bytes, headers: Mapping[str, str]
) -> Answered:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            answer = await client.post(address, content=content, headers=dict(headers))
    except TimeoutError:
        return Answered(None, f"nothing within {ASK_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answered(None, type(error).__name__)
    try:
        body = answer.json()
    except ValueError:
        return Answered(answer.status_code)
    word = body.get("error") if isinstance(body, dict) else None
    return Answered(answer.status_code, "", word if isinstance(word, str) else "")


def gate_of(place: str, answered: Answered) -> Finding | None:
    """What is wrong with the address itself; None where a gateway of the pipeline is behind it.

    Nothing else answers 401 in the gateway's words to a webhook of no store.
    """
    if answered.status is None:
        todo = "where the gateway is ready (see processes): name, firewall, proxy, certificate; else start it"
        return problem(WEBHOOK, f"{place} does not answer ({answered.why})", todo)
    if (answered.status, answered.error) != (_UNAUTHORISED, "unauthorized"):
        said = f"{place} answers {answered.status} to a webhook of no store: that is not the gateway's answer"
        todo = "see gateway.public_url, and what stands before the gateway: it hands /webhooks/ on as it is"
        return problem(WEBHOOK, said, todo)
    return None


def judged(place: str, answers: Mapping[str, Answered | None]) -> Iterator[Finding]:
    """What the answers to signed webhooks mean; None where none of a store's secrets can sign."""
    trouble: dict[Answered, list[str]] = {}
    for name, answered in answers.items():
        if answered is not None and answered.status != _OK:
            trouble.setdefault(answered, []).append(name)
    for answered, names in trouble.items():
        said, todo = _meaning(answered)
        yield problem(WEBHOOK, f"{place}: {named(names)}: {said}", todo)
    taken = [name for name, answered in answers.items() if answered is not None and answered.status == _OK]
    if not trouble:
        unsigned = len(answers) - len(taken)
        rest = f"; of {unsigned} only the sender has the key, and cannot be tried" if unsigned else ""
        said = f"{place} takes what the secrets of {len(taken)} stores sign, and refuses the unsigned{rest}"
        yield ok(WEBHOOK, said)


def _meaning(answered: Answered) -> tuple[str, str]:
    if answered.status == _UNAUTHORISED:
        said = "refused is what the secret of the settings signs (401)"
        todo = "the gateway has another secret: `pipeline reload`, or start it again; or a proxy changes "
        return said, f"{todo}bodies or headers; docs/runbooks/WrongSecret.md"
    if answered.error == "store_refused":
        return (
            "the gateway cannot use the store's settings (503)",
            "see its log; docs/runbooks/SettingsRefused.md",
        )
    if answered.status == _UNAVAILABLE:
        return "turned away (503)", "docs/runbooks/WebhooksTurnedAway.md"
    if answered.status is None:
        return f"no answer ({answered.why})", "see the gateway's log, and what stands before it"
    return f"answered {answered.status}", "see the gateway's log, and what stands before it"
