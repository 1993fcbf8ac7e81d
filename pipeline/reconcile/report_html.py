"""A run as one HTML file that needs nothing else: a chart as SVG, tables, and no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TextIO

from pipeline.reconcile.findings import Finding, Summary
from pipeline.reconcile.rules import Category, OrderStage

#: Findings shown: a browser shows so many without trouble; all are in the CSV file.
MOST = 5_000
#: Bars of the chart: more days than that are drawn together.
BARS = 120
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 240, 48, 28
#: Told apart also by those who see few colours.
_COLOURS = {
    OrderStage.NEVER_RECEIVED: "#d55e00",
    OrderStage.REJECTED: "#e69f00",
    OrderStage.DEAD: "#7b3294",
    OrderStage.LOST: "#0072b2",
    OrderStage.NOT_KEPT: "#767676",
}
#: Nothing is fetched and nothing runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1b1b;
background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;
overflow-wrap:anywhere}
th{color:#555;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}.key span{display:inline-block;margin-right:1.2rem}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}
.ok{color:#06693b}.bad{color:#b00020}.note{color:#7a4b00}svg{max-width:100%;height:auto}
svg text{font-size:11px;fill:#555}
"""


def write_html(file: TextIO, summary: Summary, rows: Iterable[Finding]) -> None:
    """Write the page; whatever a shop named its orders is text in it."""
    file.writelines(_page(summary, rows))


def _page(summary: Summary, rows: Iterable[Finding]) -> Iterator[str]:
    title = escape(f"Orders of {summary.store} in Connectif")
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    )
    yield f"<p>{_verdict(summary)}</p>\n<dl>"
    asked = f"{summary.since or 'the beginning'} to {summary.until or 'now'}"
    for name, text in (
        ("account", summary.account),
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
    yield "<h2>Missing orders by day</h2>\n"
    yield from _chart(summary)
    yield from _stages(summary)
    yield from _days(summary)
    yield from _findings(summary, rows)
    yield "</body></html>\n"


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


def _chart(summary: Summary) -> Iterator[str]:
    """Missing orders by day, stacked by the stage where they stopped."""
    bars = _bars(summary)
    highest = max((sum(bar[1].values()) for bar in bars), default=0)
    if not highest:
        yield "<p>None.</p>\n"
        return
    room, top = _HEIGHT - _BOTTOM, 12
    wide = (_WIDTH - _LEFT) / len(bars)
    yield (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="missing orders by day, '
        f'{highest:,} at most">\n<line x1="{_LEFT}" y1="{room}" x2="{_WIDTH}" y2="{room}" stroke="#999"/>'
        f'<text x="{_LEFT - 6}" y="{top + 4}" text-anchor="end">{highest:,}</text>'
        f'<text x="{_LEFT - 6}" y="{room}" text-anchor="end">0</text>\n'
    )
    for number, (label, stages) in enumerate(bars):
        left, y = _LEFT + number * wide, float(room)
        yield f"<g><title>{escape(label)}: {sum(stages.values()):,} missing</title>"
        for stage, colour in _COLOURS.items():
            tall = (room - top) * stages.get(stage, 0) / highest
            y -= tall
            if tall:
                yield (
                    f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(1.0, wide - 1):.1f}" height="{tall:.1f}" '
                    f'fill="{colour}"/>'
                )
        yield "</g>"
    for number in sorted({0, len(bars) // 2, len(bars) - 1}):
        x, anchor = _LEFT + number * wide, "start" if number < len(bars) - 1 or not number else "end"
        x += wide if anchor == "end" else 0
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}">{escape(bars[number][0])}</text>'
    yield '</svg>\n<p class="key">'
    shown = {stage for _, stages in bars for stage in stages}
    for stage, colour in _COLOURS.items():
        if stage in shown:
            yield f'<span><i style="background:{colour}"></i>{escape(stage.replace("_", " "))}</span>'
    yield "</p>\n"


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
    if summary.stages:
        rows = [
            [stage.replace("_", " "), reason, f"{n:,}"] for (stage, reason), n in summary.stages.most_common()
        ]
        yield from _table("Where they stopped", ("stage", "reason", "orders"), rows, numbers=1)


def _days(summary: Summary) -> Iterator[str]:
    headings = ("day", *(category.replace("_", " ") for category in Category))
    rows = (
        [day or "no date", *(f"{counts[category]:,}" if counts[category] else "" for category in Category)]
        for day, counts in summary.days.items()
    )
    yield from _table("By day", headings, rows, numbers=len(headings) - 1)


def _findings(summary: Summary, rows: Iterable[Finding]) -> Iterator[str]:
    headings = ("order", "number", "day", "result", "stage", "why", "shop", "Connectif", "way out")
    yield from _table("Orders", headings, (_cells(row) for row in _first(rows)))
    total = sum(summary.counts.values()) - summary.counts[Category.THERE]
    if total > MOST:
        yield f'<p class="note">The first {MOST:,} of {total:,}; the file of --csv has all.</p>\n'


def _cells(row: Finding) -> list[str]:
    why = row.why + (f" ({row.reason})" if row.reason and row.reason not in row.why else "")
    why += f": {row.detail}" if row.detail else ""
    totals = row.shop_total or "", row.connectif_total or ""
    result, stage = row.category.replace("_", " "), row.stage.replace("_", " ")
    return [row.id, row.number, row.day, result, stage, why, *totals, row.way_out]


def _first(rows: Iterable[Finding]) -> Iterator[Finding]:
    for number, row in enumerate(rows):
        if number == MOST:
            return
        yield row


def _table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0
) -> Iterator[str]:
    """A table; its last `numbers` columns are figures."""
    classes = [""] * (len(headings) - numbers) + [' class="n"'] * numbers
    heads = "".join(f"<th{one}>{escape(head)}</th>" for one, head in zip(classes, headings, strict=True))
    yield f'<h2>{escape(title)}</h2>\n<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>\n'
    for row in rows:
        cells = "".join(f"<td{one}>{escape(cell)}</td>" for one, cell in zip(classes, row, strict=True))
        yield f"<tr>{cells}</tr>\n"
    yield "</tbody></table></div>\n"
