"""A run as one HTML file that needs nothing else: a chart as SVG, tables, and no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby, islice
from typing import TextIO

from pipeline.reconcile.findings import REPORTED, Finding, Summary
from pipeline.reconcile.report_style import POLICY, STYLE
from pipeline.reconcile.rules import Category, OrderStage, OrderVerdict
from pipeline.reconcile.words import in_words

#: Findings of each result that are shown: a browser shows so many without trouble; all are in the CSV file.
MOST = 2_000
#: Bars of the chart: more days than that are drawn together.
BARS = 120
#: The chart's own units; it is as wide as the page.
_WIDTH, _HEIGHT, _WIDEST = 1_000, 200, 40
#: Stages where a missing order may have stopped, from the bottom of a bar to its top.
_STAGES = (
    OrderStage.NEVER_RECEIVED,
    OrderStage.REJECTED,
    OrderStage.DEAD,
    OrderStage.LOST,
    OrderStage.NOT_KEPT,
)
_MEANINGS = {
    Category.THERE: "in the shop and in Connectif",
    Category.MISSING: "Connectif ought to have it, and does not",
    Category.DIFFERENT: "both have it, and they disagree",
    Category.ONLY_CONNECTIF: "Connectif has it, the shop's list does not",
    Category.UNKNOWN: "what would tell is not kept any more",
    Category.PENDING: "on its way",
    Category.NOT_DUE: "Connectif does not have it, and ought not to",
}


def write_html(file: TextIO, summary: Summary, rows: Iterable[Finding]) -> None:
    """Write the page; whatever a shop named its orders is text in it.

    Args:
        file: gets the page.
        summary: of the run.
        rows: the findings, one result after the other.
    """
    file.writelines(_page(summary, rows))


def _page(summary: Summary, rows: Iterable[Finding]) -> Iterator[str]:
    title = escape(f"Orders of {summary.store} in Connectif")
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n<header><h1>{title}</h1>\n"
    )
    yield f'<p class="verdict">{_verdict(summary)}</p></header>\n<main>\n<dl>'
    asked = f"{summary.since or 'the beginning'} to {summary.until or 'now'}"
    for name, text in (
        ("account" if len(summary.accounts) == 1 else "accounts", summary.account),
        ("orders placed", asked),
        ("the shop's list", summary.shop),
        ("Connectif", summary.connectif),
        ("made", summary.began.strftime("%Y-%m-%d %H:%M %Z")),
    ):
        yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
    yield "</dl>\n"
    yield from (f'<p class="note">{escape(remark)}</p>\n' for remark in summary.remarks)
    if summary.repair is not None:
        yield f"<p>{escape(summary.repair.in_words())}</p>\n"
    yield from _results(summary)
    yield from _chart(summary)
    yield from _stages(summary)
    yield from _days(summary)
    yield from _findings(summary, rows)
    yield "</main></body></html>\n"


def _verdict(summary: Summary) -> str:
    listed = sum(summary.counts.values()) - summary.counts[Category.ONLY_CONNECTIF]
    if summary.agrees:
        return f'<strong class="ok">Nothing is missing.</strong> {listed:,} orders were compared.'
    words = (
        (summary.counts[Category.MISSING], "missing in Connectif"),
        (summary.counts[Category.DIFFERENT], "disagree"),
        (summary.counts[Category.ONLY_CONNECTIF], "only in Connectif"),
    )
    said = ", ".join(f"{number:,} {what}" for number, what in words if number)
    return f'<strong class="bad">{said}</strong>, of {listed:,} orders.'


def _name(category: str) -> str:
    """A result as people read it."""
    return "only in Connectif" if category == Category.ONLY_CONNECTIF else category.replace("_", " ")


def _results(summary: Summary) -> Iterator[str]:
    """How many of each; where there are any, a link to them."""
    yield '<h2 id="results">Results</h2>\n'
    rows = []
    for category in (Category.THERE, *REPORTED):
        number, name = summary.counts[category], escape(_name(category))
        linked = number and category is not Category.THERE
        head = f'<a href="#{category.value}">{name}</a>' if linked else name
        rows.append([head, f"{number:,}", escape(_MEANINGS[category])])
    yield from _table("results", ("result", "orders", "meaning"), rows, {1: "n", 2: "t"}, is_html=True)


def _chart(summary: Summary) -> Iterator[str]:
    """Missing orders by day, stacked by the stage where they stopped."""
    bars = _bars(summary)
    highest = max((sum(bar[1].values()) for bar in bars), default=0)
    if not highest:
        return
    wide = _WIDTH / len(bars)
    bar = min(wide * 0.9, _WIDEST)
    yield (
        '<h2 id="chart">Missing orders by day</h2>\n<figure>'
        f'<p class="axis"><span>{highest:,}</span></p>\n'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Missing orders by day, {highest:,} at most; the table By day has each figure">\n'
    )
    for number, (label, stages) in enumerate(bars):
        left, y = number * wide + (wide - bar) / 2, float(_HEIGHT)
        yield f"<g><title>{escape(label)}: {sum(stages.values()):,} missing</title>"
        for stage in _STAGES:
            tall = _HEIGHT * stages.get(stage, 0) / highest
            y -= tall
            if tall:
                yield (
                    f'<rect class="{stage}" x="{left:.1f}" y="{y:.1f}" width="{bar:.1f}" '
                    f'height="{tall:.1f}"/>'
                )
        yield "</g>"
    yield '</svg>\n<p class="axis">'
    yield "".join(
        f"<span>{escape(bars[number][0])}</span>" for number in sorted({0, len(bars) // 2, len(bars) - 1})
    )
    yield '</p>\n<figcaption class="key">'
    shown = {stage for _, stages in bars for stage in stages}
    for stage in _STAGES:
        if stage in shown:
            yield f'<span><i class="{stage}"></i>{escape(stage.replace("_", " "))}</span>'
    yield "</figcaption></figure>\n"


def _bars(summary: Summary) -> list[tuple[str, dict[str, int]]]:
    """Label and missing orders by stage of each bar: a day, or some days together."""
    days = list(summary.days)
    each = max(1, -(-len(days) // BARS))
    bars: list[tuple[str, dict[str, int]]] = []
    for first in range(0, len(days), each):
        group = days[first : first + each]
        stages: dict[str, int] = {}
        for day in group:
            for stage, number in summary.stages_of_days.get(day, {}).items():
                stages[stage] = stages.get(stage, 0) + number
        bars.append((group[0] or "no date", stages))
    return bars


def _stages(summary: Summary) -> Iterator[str]:
    if not summary.stages:
        return
    yield '<h2 id="stages">Where the missing ones stopped</h2>\n'
    rows = []
    for (stage, reason), number in summary.stages.most_common():
        words = in_words(OrderVerdict(Category.MISSING, OrderStage(stage), reason))
        rows.append([stage.replace("_", " "), f"{number:,}", _why(words.why, reason), words.way_out])
    yield from _table("stages", ("stage", "orders", "why", "way out"), rows, {1: "n", 2: "t", 3: "t"})


def _days(summary: Summary) -> Iterator[str]:
    headings = ("day", *(_name(category) for category in Category))
    rows = (
        [day or "no date", *(f"{counts[category]:,}" if counts[category] else "" for category in Category)]
        for day, counts in summary.days.items()
    )
    yield f'<details><summary id="days">By day: {len(summary.days):,} days</summary>\n'
    yield from _table("days", headings, rows, dict.fromkeys(range(1, len(headings)), "n"))
    yield "</details>\n"


def _findings(summary: Summary, rows: Iterable[Finding]) -> Iterator[str]:
    """A table of each result that there is."""
    several = len(summary.accounts) > 1
    headings = ["order", "number", "day", "stage", "why", "shop", "Connectif", "way out"]
    headings += ["account"] if several else []
    for category, found in groupby(rows, lambda row: row.category):
        total = summary.counts[category]
        yield f'<h2 id="{escape(category)}">{escape(_name(category).capitalize())}: {total:,}</h2>\n'
        looks = {2: "d", 4: "t", 5: "n", 6: "n", 7: "t"}
        yield from _table(
            category, headings, (_cells(row, several=several) for row in islice(found, MOST)), looks
        )
        if total > MOST:
            yield f'<p class="note">The first {MOST:,} of {total:,}; the file of --csv has all.</p>\n'
        yield '<p><a href="#results">to the results</a></p>\n'


def _cells(row: Finding, *, several: bool) -> list[str]:
    why = _why(row.why, row.reason) + (f": {row.detail}" if row.detail else "")
    totals = row.shop_total or "", row.connectif_total or ""
    cells = [row.id, row.number, row.day, row.stage.replace("_", " "), why, *totals, row.way_out]
    return [*cells, row.account or "none"] if several else cells


def _why(why: str, reason: str) -> str:
    return why + (f" ({reason})" if reason and reason not in why else "")


def _table(
    name: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    looks: Mapping[int, str],
    *,
    is_html: bool = False,
) -> Iterator[str]:
    """A table named by the heading with the id `name`; `looks` has a class of the style for some columns.

    It is scrolled by itself where it is wider than the page, and a keyboard reaches it for that.
    """
    classes = [f' class="{looks[place]}"' if place in looks else "" for place in range(len(headings))]
    heads = "".join(
        f'<th scope="col"{one}>{escape(head)}</th>' for one, head in zip(classes, headings, strict=True)
    )
    yield (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{escape(name)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n"
    )
    for row in rows:
        first, *others = row if is_html else map(escape, row)
        cells = "".join(f"<td{one}>{cell}</td>" for one, cell in zip(classes[1:], others, strict=True))
        yield f'<tr><th scope="row"{classes[0]}>{first}</th>{cells}</tr>\n'
    yield "</tbody></table></div>\n"
