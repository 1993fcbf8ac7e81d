"""`pipeline top`, `pipeline tap` and `pipeline status`: what is the matter, and what passes."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import config, config_needs, extras
from pipeline.cli.options import ConfigOption, HostOption, LogFormatOption, PortOption, loaded, run_stage

group = typer.Typer()
status = typer.Typer(
    help="The status page; `pipeline top` shows the same in the terminal.", no_args_is_help=True
)

ProcessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--process",
        help="Address (http://host:port) of a process that is in no consumer group, such as a gateway on "
        "another machine; may be repeated. Workers, and all of `pipeline up` here, are found by themselves.",
    ),
]


@group.command(epilog="Example: `pipeline top --once`")
def top(
    process: ProcessOption = None,
    once: Annotated[bool, typer.Option("--once", help="As plain text, all of it, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, and end.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.2, max=3_600, help="Seconds between two looks.")
    ] = 2.0,
    config_path: ConfigOption = None,
) -> None:
    """Show who is behind and why: accounts worst first, stores, processes, replays. Ctrl-C ends it.

    Exit code 1 where something is stopped, failing, not ready, or does not answer.
    """
    from pipeline.status import top as display  # noqa: PLC0415 - start fast

    settings = loaded(config_path, secrets=config_needs.KAFKA_ONLY)
    if once or as_json:
        raise typer.Exit(not display.once(settings, process or [], as_json=as_json))
    raise typer.Exit(not display.live(settings, process or [], interval))


@group.command(epilog="Example: `pipeline tap --store acme-es --outcome dead`")
def tap(  # noqa: PLR0917 - typer reads each parameter as an option
    store: Annotated[
        list[str] | None, typer.Option("--store", help="Only of this store; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="Only events of order, customer, product, or records of contact, product, purchase, coupon; "
            "may be repeated.",
        ),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            "--outcome",
            help="Only received, rejected, delivered, unchanged, superseded or dead; may be repeated.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="End after so many lines.")] = None,
    per_second: Annotated[
        float, typer.Option("--per-second", min=1, help="Lines a second, at most; others are counted.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Show events as they come and records as they end. E-mail addresses are masked. Ctrl-C ends it.

    An event is shown as `received` when the gateway has stored it, as `rejected` when translate or sync could
    not use it; a record when it has its receipt. `pipeline trace` shows what became of one.
    """
    from pipeline.config_checks import require_store  # noqa: PLC0415 - start fast
    from pipeline.events import Kind  # noqa: PLC0415
    from pipeline.records import RecordKind  # noqa: PLC0415
    from pipeline.status import tap as watching  # noqa: PLC0415
    from pipeline.status.passing import OUTCOMES, PassingFilter  # noqa: PLC0415

    _require_among("--kind", kind, {*Kind, *RecordKind})
    _require_among("--outcome", outcome, set(OUTCOMES))
    settings = loaded(config_path, secrets=config_needs.KAFKA_ONLY)
    for name in store or ():
        require_store(settings, name)
    wanted = PassingFilter(frozenset(store or ()), frozenset(kind or ()), frozenset(outcome or ()))
    watching.run(settings, wanted, limit=limit, per_second=per_second, as_json=as_json)


def _require_among(option: str, given: list[str] | None, known: set[str]) -> None:
    wrong = sorted(set(given or ()) - known)
    if wrong:
        raise typer.BadParameter(f"{wrong[0]} is none of {', '.join(sorted(known))}", param_hint=option)


@status.command("serve", epilog="Example: `pipeline status serve --process http://gateway-1:8090`")
def status_serve(
    process: ProcessOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8087,
    config_path: ConfigOption = None,
    log_format: LogFormatOption = None,  # noqa: ARG001 - its callback does it
) -> None:
    """Serve the status page. It asks the processes and keeps nothing; `pipeline up` runs one.

    From other machines it needs http_token, which also opens personal data, redrives and replays.
    """
    extras.require("status", "starlette", "jinja2", by="`pipeline status serve`")
    from pipeline.status.page.serve import serve  # noqa: PLC0415 - start fast

    path = config.path_of(config_path)
    run_stage(
        "status serve",
        config_path,
        lambda settings: serve(settings, path, process or [], host, port),
        secrets=config_needs.KAFKA_ONLY,
    )
