"""`pipeline erase`: a person leaves everything that is kept here, and Connectif."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import config_needs
from pipeline.cli.options import ConfigOption, HostOption, LogFormatOption, PortOption, loaded, run_stage
from pipeline.config_checks import require_store
from pipeline.console import Console
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.erase.requests import Request
    from pipeline.erase.run import Erasure
    from pipeline.kafka.erase_requests import Asked

group = typer.Typer(invoke_without_command=True)

StoreOption = Annotated[str, typer.Option("--store", help="The store whose person it is.")]
EmailOption = Annotated[
    str, typer.Option("--email", help="Their e-mail address; - reads it from standard input.")
]
CustomerOption = Annotated[
    str, typer.Option("--customer", help="The shop's id of their account, where the address is not enough.")
]
ByOption = Annotated[str, typer.Option("--by", help="Who does it, for the record; else user@host.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
RequestArgument = Annotated[str, typer.Argument(help="The request's id, as `list` shows it.")]
LoseEarlierOption = Annotated[
    bool,
    typer.Option(
        "--lose-earlier",
        help="Only for a Kafka of your own that still holds messages of version 0.2 or before. Several of "
        "those share a key, and the cluster can only keep the newest of each: with this option the older "
        "messages of before the upgrade of each order, customer and product are deleted, for everybody and "
        "for good, in the topics that hold something of this person. Without it nothing is removed, and "
        "the erasure waits until retention has deleted them. More: docs/erasure.md.",
    ),
]
WaitOption = Annotated[
    float, typer.Option("--wait", min=1, help="Seconds for which Connectif's answers are waited for.")
]


#: Said before it is done.
LOSES = (
    "--lose-earlier: where several messages of version 0.2 or before have one key, all but the newest are "
    "deleted, whoever they are of"
)


@group.callback(
    epilog="Example: `pipeline erase --store acme-es --email ann@acme.example --reference T-77 --dry-run`"
)
def erase(  # noqa: PLR0917 - typer reads each parameter as an option
    context: typer.Context,
    store: StoreOption = "",
    email: EmailOption = "",
    customer: CustomerOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    reference: Annotated[str, typer.Option("--reference", help="Your own name of it, for the proof.")] = "",
    wait: WaitOption = 900.0,
    lose_earlier: LoseEarlierOption = False,
    by: ByOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Erase a person of a store: from Kafka, the workers, this machine's files, and Connectif.

    It counts first and asks. All may run meanwhile, and the workers must. Whatever ends it, the same command
    goes on where it was. What is kept in the end is a proof that names nobody. Exit code 1: it is not done.
    """
    if context.invoked_subcommand is not None:
        return
    if not store or not (email or customer):
        raise typer.BadParameter("name a --store, and whom by --email or --customer")
    from pipeline.dead.store import whoever  # noqa: PLC0415 - start fast
    from pipeline.erase import report  # noqa: PLC0415
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415
    from pipeline.erase.run import Erasure, alone  # noqa: PLC0415

    settings, console = _settings(config_path, store), Console(stderr=True)
    asked = _asked(store, email, customer, reference=reference[:200], by=by or whoever())
    with Requests(settings) as requests:
        same = [request for request in requests.read().values() if _is_same(request.asked, asked)]
        going = next((request for request in same if not request.is_over), None)
        erasure = Erasure(settings, requests, console, confirm_within=wait, lose_earlier=lose_earlier)
        if going is None or dry_run:
            found = erasure.look(asked)
            if dry_run and as_json:
                print(json.dumps(found.counts()))  # noqa: T201 - its output
            elif not as_json:
                report.counted(found, Console() if dry_run else console)
            if dry_run:
                return
            if not yes:
                if lose_earlier:
                    console.print(LOSES, highlight=False, soft_wrap=True)
                typer.confirm("This cannot be undone. Go on?", abort=True, err=True)
        with alone(settings, asked.by, console):
            going = requests.ask(asked) if going is None else requests.get(going.asked.id)
            _work(erasure, going, now_ms(), as_json=as_json)


@group.command("run", epilog="Example: `pipeline erase run acme-es-customers-3-120`")
def erase_run(
    request: RequestArgument,
    wait: WaitOption = 900.0,
    lose_earlier: LoseEarlierOption = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Do what a request asks for now; `pipeline up` does it by itself. Exit code 1: it is not done."""
    from pipeline.dead.store import whoever  # noqa: PLC0415 - start fast
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415
    from pipeline.erase.run import Erasure, alone  # noqa: PLC0415
    from pipeline.kafka.erase_requests import Wanted  # noqa: PLC0415

    settings, console = loaded(config_path), Console(stderr=True)
    with Requests(settings) as requests:
        found = requests.get(request)
        _settings(config_path, found.asked.store)
        if found.asked.wanted is Wanted.DATA:
            raise PipelineError(
                "it asks for data", hint=f"pipeline erase export --request {request} --out FILE"
            )
        with alone(settings, whoever(), console):
            erasure = Erasure(settings, requests, console, confirm_within=wait, lose_earlier=lose_earlier)
            _work(erasure, requests.get(request), now_ms(), as_json=as_json)


@group.command("list", epilog="Example: `pipeline erase list --open`")
def erase_list(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not done.")] = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Show all requests, of shops and of operators, and when they are due."""
    from pipeline.erase import report  # noqa: PLC0415 - start fast
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415

    with Requests(loaded(config_path)) as requests:
        found = [one for one in requests.read().values() if not (only_open and one.is_over)]
    if as_json:
        print(json.dumps([report.tree(one, now_ms()) for one in found]))  # noqa: T201 - its output
    else:
        Console().print(report.listing(found, now_ms()))


@group.command("show", epilog="Example: `pipeline erase show acme-es-customers-3-120 --json`")
def erase_show(
    request: RequestArgument, as_json: JsonOption = False, config_path: ConfigOption = None
) -> None:
    """Show one request, and once it is done its proof: what was removed, where and when; it names nobody."""
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415 - start fast

    with Requests(loaded(config_path)) as requests:
        _show(requests.get(request), now_ms(), as_json=as_json)


@group.command(
    "drop", epilog='Example: `pipeline erase drop acme-es-customers-3-120 --why "sent by mistake"`'
)
def erase_drop(
    request: RequestArgument,
    why: Annotated[str, typer.Option("--why", help="Why nothing is to be done, for the record; no names.")],
    config_path: ConfigOption = None,
) -> None:
    """Say that nothing is to be done about a request."""
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415 - start fast
    from pipeline.kafka.erase_requests import RequestStatus  # noqa: PLC0415

    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--why")
    with Requests(loaded(config_path)) as requests:
        found = requests.get(request)
        if found.progress.status is not RequestStatus.OPEN:
            raise PipelineError(f"the request {request} is {found.progress.status}")
        requests.name_nobody(found)
        requests.advance(found, status=RequestStatus.DROPPED, why=why.strip()[:500], done_ms=now_ms())


@group.command(
    "export",
    epilog="Example: `pipeline erase export --store acme-es --email ann@acme.example --out ann.json`",
)
def erase_export(  # noqa: PLR0917 - typer reads each parameter as an option
    out: Annotated[Path, typer.Option("--out", help="The file; only you can read it.")],
    store: StoreOption = "",
    email: EmailOption = "",
    customer: CustomerOption = "",
    request: Annotated[
        str, typer.Option("--request", help="A shop's request for data; it is done then.")
    ] = "",
    config_path: ConfigOption = None,
) -> None:
    """Write all that is kept here of a person to a file, as JSON. What Connectif has is not in it."""
    if bool(request) == bool(store and (email or customer)):
        raise typer.BadParameter("name a --request, or a --store and whom by --email or --customer")
    from pipeline.erase.export import export  # noqa: PLC0415 - start fast
    from pipeline.erase.requests import Requests, now_ms  # noqa: PLC0415
    from pipeline.kafka.erase_requests import RequestStatus, Wanted  # noqa: PLC0415

    settings, console = loaded(config_path), Console(stderr=True)
    with Requests(settings) as requests:
        found = requests.get(request) if request else None
        asked = _asked(store, email, customer) if found is None else found.asked
        _settings(config_path, asked.store)
        counts = export(settings, asked, out, console).counts()
        if found is not None and found.asked.wanted is Wanted.DATA:
            requests.advance(found, status=RequestStatus.DONE, done_ms=now_ms(), why="exported")
    console.print(f"{sum(counts.values()):,} messages and rows are in {out}", highlight=False, soft_wrap=True)


@group.command("serve", epilog="Example: `pipeline erase serve --config pipeline.toml --port 8083`")
def erase_serve(
    config_path: ConfigOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8083,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Do what shops ask for as it comes in, until it is stopped; `pipeline up` runs it."""
    from pipeline.erase.serve import serve  # noqa: PLC0415 - start fast

    run_stage("erase", config_path, lambda found: serve(found, host, port), secrets=config_needs.CONNECTIF)


def _settings(path: Path | None, store: str) -> Settings:
    """The settings, which have the store.

    Raises:
        SettingsError: they do not.
    """
    settings = loaded(path)
    require_store(settings, store)
    return settings


def _asked(store: str, email: str, customer: str, *, reference: str = "", by: str = "") -> Asked:
    from pipeline.erase.requests import now_ms  # noqa: PLC0415 - start fast
    from pipeline.kafka.erase_requests import DAY_MS, DUE_DAYS, Asked, Wanted  # noqa: PLC0415

    address = (sys.stdin.readline() if email == "-" else email).strip().lower()
    if address and "@" not in address:
        raise typer.BadParameter("it is no address", param_hint="--email")
    now = now_ms()
    return Asked(
        id=f"{store}-{now // 1_000:x}-{secrets.token_hex(3)}",
        store=store,
        wanted=Wanted.CUSTOMER,
        email=address,
        customer=customer.strip(),
        reference=reference,
        by=by,
        asked_ms=now,
        due_ms=now + DUE_DAYS * DAY_MS,
    )


def _is_same(one: Asked, other: Asked) -> bool:
    return one.source is None and (one.store, one.email, one.customer) == (
        other.store,
        other.email,
        other.customer,
    )


def _work(erasure: Erasure, request: Request, now: int, *, as_json: bool) -> None:
    if not request.is_over:
        erasure.work(request)
    _show(request, now, as_json=as_json)


def _show(request: Request, now: int, *, as_json: bool) -> None:
    from pipeline.erase import report  # noqa: PLC0415 - start fast

    if as_json:
        print(json.dumps(report.tree(request, now)))  # noqa: T201 - its output
    else:
        report.show(request, now, Console())
