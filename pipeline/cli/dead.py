"""`pipeline dead`: what could not be used."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import ConfigOption, loaded
from pipeline.console import Console
from pipeline.dead.selection import LetterFilter

if TYPE_CHECKING:
    from pipeline.config import Settings
    from pipeline.dead.acting import Drop, Redrive
    from pipeline.dead.letter import LetterId
    from pipeline.dead.selection import Selection

group = typer.Typer(
    help="Dead letters: what could not be used, why, and what to do about it.", no_args_is_help=True
)

#: Days, minutes and seconds, in UTC.
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
AccountOption = Annotated[str, typer.Option("--account", help="Only those of this account.")]
StoreOption = Annotated[str, typer.Option("--store", help="Only those of this store.")]
StageOption = Annotated[str, typer.Option("--stage", help="Only those of translate, or of deliver.")]
KindOption = Annotated[
    str, typer.Option("--kind", help="Only orders, customers, products, contacts, purchases: order, ...")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Only those with this reason.")]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", formats=_TIMES, help="Only those from then on, in UTC.")
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", formats=_TIMES, help="Only those before then, in UTC.")
]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(help="Ids (partition:offset), as `list --each` shows them.")
]
FromPrefixOption = Annotated[
    str | None,
    typer.Option(
        "--from-prefix",
        help='Of a pipeline under this kafka.topic_prefix on the same cluster, "" for none; else our own.',
    ),
]
ByOption = Annotated[str, typer.Option("--by", help="Who does it, for the record; else user@host.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@group.command("list", epilog="Example: `pipeline dead list --account acme-es --since 2026-11-01`")
def dead_list(  # noqa: PLR0917 - typer reads each parameter as an option
    account: AccountOption = "",
    store: StoreOption = "",
    stage: StageOption = "",
    kind: KindOption = "",
    reason: ReasonOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    state: Annotated[
        LetterFilter, typer.Option("--state", help="What was done about them.")
    ] = LetterFilter.OPEN,
    each: Annotated[bool, typer.Option("--each", help="Single letters, the newest first.")] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=100_000, help="With --each; else 100, with --json all."),
    ] = None,
    from_prefix: FromPrefixOption = None,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Show dead letters by account, store, stage, kind and reason; those nothing was done about, if not told.

    `came back` counts those that were sent again before and came to the same reason. With --each --json every
    letter is one line.
    """
    from pipeline.dead import report  # noqa: PLC0415 - start fast
    from pipeline.dead.store import DeadLetterReader  # noqa: PLC0415

    chosen = _selection(account, store, stage, kind, reason, since, until, None)
    errors, settings = Console(stderr=True), loaded(config_path)
    _say_doubts(chosen, settings)
    with DeadLetterReader(_under(settings, from_prefix), errors) as reader:
        reader.read_states()
        found = reader.letters(chosen)
        if each:
            shown = limit or (0 if as_json else 100)
            report.each(found, state, Console(), limit=shown, as_json=as_json)
        else:
            report.groups(found, state, Console(), as_json=as_json)
        report.lost(reader, errors)


@group.command("show", epilog="Example: `pipeline dead show 2:1034`")
def dead_show(
    letter: Annotated[str, typer.Argument(help="Its id (partition:offset).")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data, too.")] = False,
    from_prefix: FromPrefixOption = None,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Show one letter: its reason in words and the way out, what was done about it, and what it holds.

    What may be of a person is masked. Exit code 1 where there is no such letter.
    """
    from pipeline.dead import report  # noqa: PLC0415 - start fast
    from pipeline.dead.resend import ResendTarget  # noqa: PLC0415
    from pipeline.dead.store import DeadLetterReader  # noqa: PLC0415

    [place] = _ids([letter])
    settings = loaded(config_path)
    with DeadLetterReader(_under(settings, from_prefix), Console(stderr=True)) as reader:
        found, row = reader.letter_and_row(place)
        target = ResendTarget.of(settings, other_prefix=from_prefix)
        report.show(found, row, target, Console(), reveal=reveal, as_json=as_json)


@group.command("redrive", epilog="Example: `pipeline dead redrive --account acme-es --reason bad_domain`")
def dead_redrive(  # noqa: PLR0917 - typer reads each parameter as an option
    ids: IdsArgument = None,
    account: AccountOption = "",
    store: StoreOption = "",
    stage: StageOption = "",
    kind: KindOption = "",
    reason: ReasonOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    state: Annotated[
        LetterFilter, typer.Option("--state", help="With --again; ids mean those letters, whatever was done.")
    ] = LetterFilter.OPEN,
    every: Annotated[bool, typer.Option("--all", help="Every letter: no filter, no id.")] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also those that came back, and of other states those of --state."),
    ] = False,
    run_workflows: Annotated[
        bool, typer.Option("--run-workflows", help="Let purchases of events start workflows.")
    ] = False,
    from_prefix: FromPrefixOption = None,
    by: ByOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Send letters again, once what kept them is mended: records to deliver, events to translate.

    It counts first and asks. A letter goes once, however often this is repeated, and nothing older takes the
    place of what Connectif was told since. Exit code 1: nothing was sent, for nothing could be, or was to be,
    or another redrive or drop is at work.
    """
    from pipeline.dead.acting import Redrive, alone  # noqa: PLC0415 - start fast
    from pipeline.dead.resend import ResendTarget  # noqa: PLC0415
    from pipeline.dead.store import DeadLetterReader, whoever  # noqa: PLC0415
    from pipeline.kafka import topic_check  # noqa: PLC0415

    chosen = _selection(account, store, stage, kind, reason, since, until, ids)
    _require_a_choice(chosen, every=every)
    settings = loaded(config_path)
    _say_doubts(chosen, settings)
    topic_check.verify(settings)
    who, theirs = by or whoever(), _under(settings, from_prefix)
    with alone(theirs, who) as turn, DeadLetterReader(theirs, Console(stderr=True)) as reader:
        reader.read_states(required=True)
        target = ResendTarget.of(settings, run_workflows=run_workflows, other_prefix=from_prefix)
        wanted = LetterFilter.ALL if chosen.ids else state
        action = Redrive(settings, reader, target, chosen, turn, again=again, by=who, wanted=wanted)
        _act(action, "sent again", reader.missing(chosen.ids), yes=yes, as_json=as_json)


@group.command("drop", epilog='Example: `pipeline dead drop 2:1034 --why "test order, TICKET-77"`')
def dead_drop(  # noqa: PLR0917 - typer reads each parameter as an option
    why: Annotated[str, typer.Option("--why", help="Why nobody has to look at them again, for the record.")],
    ids: IdsArgument = None,
    account: AccountOption = "",
    store: StoreOption = "",
    stage: StageOption = "",
    kind: KindOption = "",
    reason: ReasonOption = "",
    since: SinceOption = None,
    until: UntilOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter: no filter, no id.")] = False,
    by: ByOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
    config_path: ConfigOption = None,
) -> None:
    """Say that letters need nothing any more; who said so, when and why is kept.

    They stay in their topic until its retention ends, and `redrive --again` still takes them. Exit code 1:
    nothing was dropped, or another redrive or drop is at work.
    """
    from pipeline.dead.acting import Drop, alone  # noqa: PLC0415 - start fast
    from pipeline.dead.store import DeadLetterReader, whoever  # noqa: PLC0415
    from pipeline.kafka import topic_check  # noqa: PLC0415

    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--why")
    chosen = _selection(account, store, stage, kind, reason, since, until, ids)
    _require_a_choice(chosen, every=every)
    settings = loaded(config_path)
    _say_doubts(chosen, settings)
    topic_check.verify(settings)
    who = by or whoever()
    with alone(settings, who) as turn, DeadLetterReader(settings, Console(stderr=True)) as reader:
        reader.read_states(required=True)
        action = Drop(settings, reader, chosen, turn, why=why.strip()[:1_000], by=who)
        _act(action, "dropped", reader.missing(chosen.ids), yes=yes, as_json=as_json)


def _act(action: Redrive | Drop, verb: str, missing: list[LetterId], *, yes: bool, as_json: bool) -> None:
    """Count, ask, act, and say what was done."""
    from pipeline.dead import report  # noqa: PLC0415 - start fast

    errors = Console(stderr=True)
    for place in missing:
        errors.print(f"there is no dead letter {place} (any more)", style="yellow", markup=False)
    tally = action.count()
    report.counted(tally, f"will be {verb}", errors)
    if tally.count and not yes:
        typer.confirm("Go on?", abort=True, err=True)
    if tally.count:
        tally = action.run()
    if as_json:
        print(json.dumps(tally.tree()))  # noqa: T201 - its output
    elif tally.count:
        report.counted(tally, verb, Console())
    raise typer.Exit(0 if tally.count else 1)


def _selection(  # noqa: PLR0917 - the options in their order
    account: str,
    store: str,
    stage: str,
    kind: str,
    reason: str,
    since: datetime | None,
    until: datetime | None,
    ids: list[str] | None,
) -> Selection:
    from pipeline.dead.selection import Selection  # noqa: PLC0415 - start fast

    return Selection(
        account, store, stage, kind, reason, _epoch_ms(since), _epoch_ms(until), frozenset(_ids(ids or []))
    )


def _ids(texts: list[str]) -> list[LetterId]:
    from pipeline.dead.letter import LetterId  # noqa: PLC0415 - start fast

    try:
        return [LetterId.parse(text) for text in texts]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ID") from None


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1_000)


def _require_a_choice(chosen: Selection, *, every: bool) -> None:
    if chosen.empty != every:
        raise typer.BadParameter("say which letters by ids or filters, or --all")


def _say_doubts(chosen: Selection, settings: Settings) -> None:
    """Say what may be a typing error, and go on: letters outlive stores."""
    from pipeline.dead.selection import doubts  # noqa: PLC0415 - start fast

    for doubt in doubts(chosen, settings):
        Console(stderr=True).print(f"note: {doubt}", style="yellow", markup=False, highlight=False)


def _under(settings: Settings, prefix: str | None) -> Settings:
    """The settings with another prefix."""
    if prefix is None:
        return settings
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic_prefix": prefix})})
