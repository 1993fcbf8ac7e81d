"""`pipeline trace`: the whole life of an order, customer or product."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.options import ConfigOption, loaded
from pipeline.events import Kind

group = typer.Typer()


@group.command(epilog="Example: `pipeline trace acme-es order 5678`")
def trace(  # noqa: PLR0917 - typer reads each parameter as an option
    store: Annotated[str, typer.Argument(help="Name of the store in the settings.")],
    kind: Annotated[Kind | None, typer.Argument(help="Of the id.")] = None,
    entity: Annotated[str | None, typer.Argument(metavar="[ID]", help="The shop's own id.")] = None,
    purchase: Annotated[
        str | None, typer.Option("--purchase", help="Instead: the id of a purchase in Connectif.")
    ] = None,
    number: Annotated[
        str | None,
        typer.Option("--number", help="Instead: an order's number, as the shop shows it; reads all orders."),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option("--email", help="Instead: an address; its customers and orders. Reads all of both."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", help="Look at nothing older, by arrival in UTC; else at all that is kept."),
    ] = None,
    only_now: Annotated[
        bool, typer.Option("--now", help="Ask only the workers: in about a second, without the history.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show e-mail addresses; else they are masked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config_path: ConfigOption = None,
) -> None:
    """Say whether an order, customer or product is in Connectif, and if not, why.

    Shown is each event received with today's verdict on it, each record emitted, each receipt, dead letters,
    and what waits now and why. It changes nothing, and all may run meanwhile. Exit code 1 where nothing is
    known of it.
    """
    others = [given for given in (purchase, number, email) if given]
    if bool(kind and entity) + len(others) != 1 or (bool(kind) != bool(entity)):
        raise typer.BadParameter("give KIND and ID, or one of --purchase, --number and --email")
    if only_now and (number or email):
        raise typer.BadParameter("--now reads no topics, which --number and --email need")
    from pipeline.trace.run import Asked, run  # noqa: PLC0415 - start fast

    asked = Asked(
        store,
        kind,
        entity or "",
        purchase or "",
        number or "",
        email or "",
        None if since is None else since.replace(tzinfo=since.tzinfo or UTC),
        only_now,
    )
    run(loaded(config_path), asked, reveal=reveal, as_json=as_json)
