"""Who has withdrawn, read for all contacts at once: an export that counts for a while.

Thousands of people cost a few calls that way, where each would cost one. Column names of exports are not
documented: a file without those of the API's contacts is unusable, and consent is read one by one.
"""

from __future__ import annotations

import asyncio
import io
import logging
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.csvfile import read_csv
from pipeline.deliver.schedule.import_durations import ImportDurations
from pipeline.deliver.send.admission import CONSENT, Permit
from pipeline.deliver.send.health import Sign, sign_of
from pipeline.deliver.state.consent import DATE, NOBODY, STATUS, UNSUBSCRIBED, Said, read_said

log = logging.getLogger(__name__)

#: From this many people on an export costs fewer calls than reading them one by one.
WORTH = 10
#: Seconds to the first poll of an export, the least between two, and after which it is given up.
FIRST_LOOK, SHORTEST, LONGEST = 10.0, 5.0, 1_800.0
#: Seconds until another export after one that failed.
PAUSE = 600.0
#: Rows read before other tasks run, and characters of one file.
CHUNK, MAX_CHARACTERS = 2_000, 4_000_000_000
#: Most withdrawals kept, and most characters of a row.
MOST, ROW_MAX = 2_000_000, 1_000_000
EMAIL, EXTERNAL_ID = "_email", "_externalId"


class Unusable(Exception):  # noqa: N818 - not an error: consent is then read one by one
    """An export that cannot be used; the message says why."""


class Withdrawals:
    """One account's.

    Args:
        account: its name.
        fresh: seconds for which an export counts once it is read.
    """

    def __init__(self, account: str, fresh: float) -> None:
        self._account = account
        self._fresh = fresh
        self._read_at = self._not_before = -math.inf
        self._begun_ms = 0
        #: By column and key: everybody who ever withdrew. All other keys of these columns did not.
        self._left: dict[tuple[str, str], Said] = {}
        self._columns: frozenset[str] = frozenset()

    def said(self, key: str, now: float, *, by_email: bool, since_ms: int) -> Said | None:
        """A person's consent in the last export; None if it has none, or is too old to say.

        Args:
            key: of the contact.
            now: of the loop's clock.
            by_email: whether the key is an address.
            since_ms: when we last sent that the person unsubscribes, epoch ms: an export begun before has the
                date of an earlier such call, which is not known any more and looks like the person's own.
        """
        column = EMAIL if by_email else EXTERNAL_ID
        is_old = now - self._read_at > self._fresh or self._begun_ms <= since_ms
        if is_old or column not in self._columns:
            return None
        return self._left.get((column, key.casefold()), NOBODY)

    def worth(self, people: int, now: float) -> bool:
        """Whether an export is made for this many people."""
        return people >= WORTH and self._fresh > 0 and now >= self._not_before

    async def ask(self, client: ConnectifClient, permit: Permit, now_ms: int) -> None:
        """Make an export, now, and read it; if that fails, none is made for a while."""
        try:
            self._left, self._columns = await _read(await _file(client, permit))
        except Unusable as reason:
            log.warning(
                "account %s: no export says who has withdrawn (%s); contacts are asked for one by one",
                self._account,
                reason,
            )
            self._not_before = _now() + PAUSE
            return
        self._read_at, self._begun_ms = _now(), now_ms
        log.info("account %s: %d contacts have withdrawn, by an export", self._account, len(self._left))


async def _file(client: ConnectifClient, permit: Permit) -> bytes:
    made = await permit.call("exports", lambda: _made(client), may_be_absent=True, purpose=CONSENT)
    export_id = made.body.get("id") if made.good and isinstance(made.body, Mapping) else None
    if not export_id:
        raise Unusable(made.detail or "it was not made")
    given_up, began = _now() + LONGEST, _now()
    pause = FIRST_LOOK
    while True:
        await permit.pause(pause)
        shown = await permit.call(
            "exports", lambda: client.get_export(str(export_id)), may_be_absent=True, purpose=CONSENT
        )
        body = shown.body if shown.good and isinstance(shown.body, Mapping) else {}
        status = str(body.get("status", "")).casefold()
        if status == "finished" and body.get("fileUrl"):
            answer, content = await client.get_export_file(str(body["fileUrl"]))
            if not answer.good:
                raise Unusable(answer.detail or f"its file was answered {answer.status}")
            return content
        lost = not shown.good and sign_of(shown, may_be_absent=True) is Sign.WELL
        if lost or status in ("error", "cancelled", "canceled") or _now() > given_up:
            raise Unusable(shown.detail or f"it is {status or 'not there'}")
        pause = ImportDurations.next_look(_now() - began, SHORTEST)


async def _made(client: ConnectifClient) -> Answer:
    """A missing right to export makes the export unusable; it is no failure of the account."""
    answer = await client.create_contacts_export()
    return replace(answer, kind=AnswerKind.ABSENT) if answer.kind is AnswerKind.FORBIDDEN else answer


async def _read(content: bytes) -> tuple[dict[tuple[str, str], Said], frozenset[str]]:
    """Everybody who withdrew, and the key columns of the file."""
    try:
        return await _people(content)
    except Unusable:
        raise
    except Exception as error:  # a file can raise anything
        raise Unusable(f"it cannot be read: {type(error).__name__}") from error


async def _people(content: bytes) -> tuple[dict[tuple[str, str], Said], frozenset[str]]:
    left: dict[tuple[str, str], Said] = {}
    rows = _rows(content)
    header = next(rows, [])
    columns = frozenset({EMAIL, EXTERNAL_ID}.intersection(header))
    if not columns or STATUS not in header or DATE not in header:
        raise Unusable("its columns have other names")
    for number, cells in enumerate(rows, 1):
        row = dict(zip(header, cells, strict=False))
        said = read_said(row)
        if said.withdrawn_ms is not None or said.status == UNSUBSCRIBED:
            left.update({(name, row[name].casefold()): said for name in columns if row.get(name)})
        if len(left) > MOST:
            raise Unusable("it names too many people")
        if number % CHUNK == 0:
            await asyncio.sleep(0)
    return left, columns


def _rows(content: bytes) -> Iterator[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        if not names or archive.getinfo(names[0]).file_size > MAX_CHARACTERS:
            raise Unusable("there is no file in it, or one too large")
        if archive.getinfo(names[0]).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unusable("its compression is not supported")  # others name the memory that they take
        with archive.open(names[0]) as raw:
            text = io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="")
            yield from read_csv(text, ",", ROW_MAX)


def _now() -> float:
    return asyncio.get_running_loop().time()
