"""What the dashboards are made of: few kinds of panels, variables, links, and the grid they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import TypeVar

import yaml
from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    CustomVariable,
    Dashboard,
    DashboardLink,
    FieldColor,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Built = models.Dashboard
Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel
Variable = QueryVariable | CustomVariable | ConstantVariable

SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="prometheus")
#: Of Grafana 12.1, which docker-compose.yml runs; later ones bring it up to date themselves.
SCHEMA = 41
TAG = "pipeline"
WIDTH = 24
#: Where Grafana shows the pages of docs/runbooks, which docker-compose.yml mounts among its public files.
MOUNTED = "/public/runbooks"
_PROMETHEUS = Path(__file__).parents[1] / "prometheus" / "prometheus.yml"


@dataclass(frozen=True, slots=True)
class Ask:
    """One expression of a panel, and how its lines are called."""

    expr: str
    legend: str = ""


# Links.


def to(uid: str, variable: str, value: str) -> str:
    """The address of another dashboard, with one variable set, of the time that is shown."""
    return f"/d/{uid}?var-{variable}={value}&${{__url_time_range}}"


def of_label(label: str) -> str:
    """In the link of a line: its label."""
    return f"${{__field.labels.{label}}}"


def link(title: str, url: str) -> DashboardLink:
    """What is offered where a value is clicked."""
    return DashboardLink(title).url(url)


def to_account(label: str = "account") -> DashboardLink:
    """From a line that has an account."""
    return link("the account", to("pipeline-account", "account", of_label(label)))


def to_store(label: str = "store") -> DashboardLink:
    """From a line that has a store."""
    return link("the store", to("pipeline-store", "store", of_label(label)))


#: What a cell of a table leads to, by its column.
CELLS = {
    "account": ("the account", to("pipeline-account", "account", "${__value.raw}")),
    "store": ("the store", to("pipeline-store", "store", "${__value.raw}")),
    "alertname": ("what to type", "${runbooks}/${__value.raw}.md"),
    "run": ("the replay", to("pipeline-replay", "run", "${__value.raw}")),
}


# Variables.


def chosen(name: str, series: str, *, several: bool = False) -> QueryVariable:
    """A variable with the values of a label; Grafana has a search in its list."""
    query: dict[str, object] = {"query": f"label_values({series}, {name})", "refId": name}
    made = (
        QueryVariable(name)
        .label(name)
        .query(query)
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        every = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        made = made.multi(True).include_all(True).all_value(".*").current(every)
    return made


def how_many() -> CustomVariable:
    """How many accounts and stores are shown, worst first."""
    options = [models.VariableOption(selected=count == "20", text=count, value=count) for count in HOW_MANY]
    return (
        CustomVariable("top")
        .label("how many")
        .values(",".join(HOW_MANY))
        .options(options)
        .current(models.VariableOption(selected=True, text="20", value="20"))
    )


HOW_MANY = ("10", "20", "50", "100")


def runbooks() -> ConstantVariable:
    """Where the pages for alerts are: as alerts say it; where that is no address, what Grafana serves."""
    settings = yaml.safe_load(_PROMETHEUS.read_text(encoding="utf-8"))
    said: str = settings["global"]["external_labels"]["runbooks"]
    return ConstantVariable("runbooks").value(said if "://" in said else MOUNTED)


# Panels.


def lines(
    title: str,
    description: str,
    *asked: Ask,
    unit: str = "short",
    width: int = 8,
    links: Sequence[DashboardLink] = (),
    between: tuple[float, float] | None = None,
) -> timeseries.Panel:
    """A graph over time."""
    legend = common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM)
    made = (
        _headed(timeseries.Panel(), title, description, width, 8)
        .unit(unit)
        .legend(legend.display_mode(kinds.LegendDisplayMode.LIST).calcs([]))
        .tooltip(
            common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)
        )
        .min(0 if between is None else between[0])
    )
    if between is not None:
        made = made.max(between[1])
    if links:
        made = made.data_links(list(links))
    return made.targets([_asked(number, ask).range() for number, ask in enumerate(asked)])


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "none",
    red_at: float | None = None,
    width: int = 4,
    height: int = 4,
    decimals: int | None = None,
    legend: str = "",
) -> stat.Panel:
    """One figure, as it is now; red from a value on, where that is said."""
    made = (
        _headed(stat.Panel(), title, description, width, height)
        .unit(unit)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets([_asked(0, Ask(expr, legend)).instant()])
    )
    if decimals is not None:
        made = made.decimals(decimals)
    if red_at is not None:
        made = made.color_mode(kinds.BigValueColorMode.BACKGROUND).thresholds(_red(red_at))
        made = made.color_scheme(_by_threshold())
    return made


def ranking(
    title: str,
    description: str,
    ask: Ask,
    *,
    unit: str = "short",
    red_at: float | None = None,
    width: int = 8,
    height: int = 10,
    links: Sequence[DashboardLink] = (),
) -> bargauge.Panel:
    """A bar for each name, the longest first."""
    made = (
        _headed(bargauge.Panel(), title, description, width, height)
        .unit(unit)
        .min(0)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets([_asked(0, ask).instant()])
    )
    if red_at is not None:
        made = made.thresholds(_red(red_at)).color_scheme(_by_threshold())
    if links:
        made = made.data_links(list(links))
    return made


def rows(
    title: str,
    description: str,
    keys: Sequence[str],
    columns: Mapping[str, str],
    *,
    units: Mapping[str, str] | None = None,
    sums: bool = False,
    sort: str = "",
    ranked_by: str = "",
    width: int = WIDTH,
    height: int = 8,
) -> table.Panel:
    """A table: a row for each combination of the labels `keys`, a column for each expression.

    Args:
        title: its title.
        description: what it tells.
        keys: the labels, whose columns come first.
        columns: expressions by the names of their columns.
        units: of columns, by their names.
        sums: whether the last line has the sums.
        sort: the column by which it is sorted, the highest first.
        ranked_by: instead, an expression whose order the rows have, and which is not shown.
        width: of the 24 there are.
        height: in lines of the grid.
    """
    asked = [*filter(None, [ranked_by]), *columns.values()]
    values = [_value(number, len(asked)) for number in range(len(asked))]
    shown = values[len(asked) - len(columns) :]
    unseen = {name: True for name in ("Time", *values) if name not in shown}
    order = {name: place for place, name in enumerate((*keys, *shown))}
    made = (
        _headed(table.Panel(), title, description, width, height)
        .filterable(True)
        .targets(
            [
                _asked(number, Ask(expr)).instant().format(PromQueryFormat.TABLE)
                for number, expr in enumerate(asked)
            ]
        )
        .transformations(
            [
                models.DataTransformerConfig(id_val="merge", options={}),
                models.DataTransformerConfig(
                    id_val="organize",
                    options={
                        "excludeByName": unseen,
                        "renameByName": dict(zip(shown, columns, strict=True)),
                        "indexByName": order,
                    },
                ),
            ]
        )
    )
    for key in keys:
        if key in CELLS:
            named, url = CELLS[key]
            made = made.override_by_name(key, [_property("links", [{"title": named, "url": url}])])
    for column, unit in (units or {}).items():
        made = made.override_by_name(column, [_property("unit", unit)])
    if sums:
        made = made.footer(common.TableFooterOptions().show(True).reducer(["sum"]))
    if sort:
        made = made.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return made


_P = TypeVar("_P", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel)


def _headed(panel: _P, title: str, description: str, width: int, height: int) -> _P:
    """What every panel has."""
    return panel.title(title).description(description).datasource(SOURCE).height(height).span(width)


def _value(number: int, count: int) -> str:
    return "Value" if count == 1 else f"Value #{ascii_uppercase[number]}"


def _property(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def _asked(number: int, ask: Ask) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(ascii_uppercase[number]).datasource(SOURCE).expr(ask.expr)
    return made.legend_format(ask.legend)


def _red(value: float) -> ThresholdsConfig:
    steps = [models.Threshold(color="green", value=None), models.Threshold(color="red", value=value)]
    return ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _by_threshold() -> FieldColor:
    return FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


# The whole.


def dashboard(
    uid: str,
    title: str,
    description: str,
    variables: Iterable[Variable],
    parts: Mapping[str, Sequence[Panel]],
    *,
    shown: str = "now-1h",
) -> Built:
    """A dashboard: its panels by the headings above them, from left to right.

    Args:
        uid: its address.
        title: its title.
        description: what it tells.
        variables: what is chosen in it.
        parts: panels by the heading of their row; each row is as full as it can be.
        shown: since when.
    """
    others = DashboardLink("the pipeline's dashboards").type(models.DashboardLinkType.DASHBOARDS)
    made = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .refresh("10s")
        .time(shown, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(others.tags([TAG]).as_dropdown(True).keep_time(True))
        .variables(list(variables))
    )
    y, identity = 0, 1
    for heading, panels in parts.items():
        made = made.with_row(Row(heading).id(identity).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y, identity = y + 1, identity + 1
        x = tallest = 0
        for panel in panels:
            place = panel.build().grid_pos or models.GridPos()
            if x + place.w > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            made = made.with_panel(panel.id(identity).grid_pos(models.GridPos(place.h, place.w, x, y)))
            x, tallest, identity = x + place.w, max(tallest, place.h), identity + 1
        y += tallest
    built = made.build()
    built.schema_version = SCHEMA
    return built
