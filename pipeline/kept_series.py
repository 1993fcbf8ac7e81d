"""Families of metrics that keep the text of their series between looks: it is written once.

They are `prometheus_client`'s own to whoever reads their samples. `exposition.py` takes the text and the
values instead, and makes no object for each series: with tens of thousands of them, that is most of a look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import prometheus_client
from prometheus_client import Metric, utils
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Sample

#: Values of labels, in the order of their names.
Labels = tuple[str, ...]

#: Writes a value; it has no types.
_written: Callable[[float], str] = utils.floatToGoString
#: What most values are, written once; 0 is not among them, as -0.0 is equal to it.
_WRITTEN = {float(number): _written(number) for number in range(1, 1_000)}
#: Texts of series that are not there any more, beyond as many as there are: then all are written anew.
_GONE = 1_000


def value_text(value: float) -> str:
    """A value as `prometheus_client` writes it."""
    if not value:
        return "-0.0" if math.copysign(1.0, value) < 0 else "0.0"
    return _WRITTEN.get(value) or _written(value)


def text_before(name: str, labels: Mapping[str, str]) -> str:
    """What `prometheus_client` writes before a value: the name, the labels by their names, and a space."""
    if not labels:
        return f"{name} "
    written = ",".join(f'{label}="{_escaped(labels[label])}"' for label in sorted(labels))
    return f"{name}{{{written}}} "


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class WrittenFamily(Metric):
    """A family as it is at one moment: the text before each value, and the values.

    Its samples are made where somebody asks for them.
    """

    def __init__(self, name: str, documentation: str, kind: str) -> None:
        super().__init__(name, documentation, kind)
        self.values: list[float] = []

    def texts(self) -> Sequence[str]:
        """What stands before each of the values."""
        raise NotImplementedError

    def lines(self, most: int) -> Iterator[str]:
        """All of it as lines, so many in one piece."""
        texts, known, values = self.texts(), _WRITTEN.get, self.values
        for start in range(0, len(values), most):
            piece = zip(texts[start : start + most], values[start : start + most], strict=True)
            # `value_text`, without a call for each.
            yield "".join(
                [
                    f"{text}{(known(value) or _written(value)) if value else value_text(value)}\n"
                    for text, value in piece
                ]
            )


class GaugeRows(WrittenFamily):
    """A gauge as a collector reads it, with the interface of `GaugeMetricFamily`."""

    def __init__(self, kept: KeptGauge) -> None:
        self._kept = kept
        self._labelnames = kept.labelnames
        self._rows: list[Labels] = []
        super().__init__(kept.name, kept.documentation, "gauge")

    def add_metric(self, labels: Labels, value: float) -> None:
        """One series."""
        self._rows.append(labels)
        self.values.append(value)

    def add(self, rows: Mapping[Labels, float]) -> None:
        """Many of them."""
        self._rows += rows.keys()
        self.values += rows.values()

    def texts(self) -> list[str]:
        """What stands before each of the values."""
        return self._kept.texts(self._rows)

    @property
    def samples(self) -> list[Sample]:
        """As `prometheus_client` has them."""
        names = self._labelnames
        return [
            Sample(self.name, dict(zip(names, labels, strict=True)), value)
            for labels, value in zip(self._rows, self.values, strict=True)
        ]

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """The base class begins with none."""


class KeptGauge:
    """A gauge that a collector reads anew at each look.

    Args:
        name: of the family.
        documentation: its meaning.
        labels: their names.
    """

    def __init__(self, name: str, documentation: str, labels: Iterable[str]) -> None:
        self.name, self.documentation, self.labelnames = name, documentation, tuple(labels)
        self._texts: dict[Labels, str] = {}

    def look(self) -> GaugeRows:
        """The family of one look, to be filled."""
        return GaugeRows(self)

    def texts(self, rows: Sequence[Labels]) -> list[str]:
        """What stands before the values of these series; it keeps those, and about as many that are gone."""
        if len(self._texts) > 2 * len(rows) + _GONE:
            self._texts.clear()
        known = self._texts.get
        return [known(labels) or self._write(labels) for labels in rows]

    def _write(self, labels: Labels) -> str:
        text = text_before(self.name, dict(zip(self.labelnames, labels, strict=True)))
        self._texts[labels] = text
        return text


class _MetricRows(WrittenFamily):
    """A counter, gauge or histogram of this process."""

    def __init__(self, metric: _Kept) -> None:
        self._metric, self._texts = metric, list[str]()
        super().__init__(metric._name, metric._documentation, metric._type or "unknown")  # noqa: SLF001
        for one in metric.children():
            samples = one.child_samples()
            self._texts += one.texts(samples)
            self.values += [sample.value for sample in samples]

    def texts(self) -> list[str]:
        """What stands before each of the values."""
        return self._texts

    @property
    def samples(self) -> list[Sample]:
        """As `prometheus_client` has them."""
        return list(self._metric.made_anew().samples)

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """The base class begins with none."""


class _Kept(MetricWrapperBase):
    """Keeps the text of each child with it, for as long as there is the child."""

    _kept_texts: tuple[str, ...] = ()

    def collect(self) -> list[Metric]:
        """What it is now."""
        return [_MetricRows(self)]

    def made_anew(self) -> Metric:
        """The same as `prometheus_client` makes it."""
        return next(iter(super().collect()))

    def children(self) -> list[_Kept]:
        """Those with values of their labels; itself where it has no labels."""
        if not self._is_parent():  # type: ignore[no-untyped-call]
            return [self]
        with self._lock:
            return [one for one in self._metrics.values() if isinstance(one, _Kept)]

    def child_samples(self) -> Sequence[Sample]:
        """Its samples without its labels; their number and names are always the same."""
        return tuple(self._child_samples())

    def texts(self, samples: Sequence[Sample]) -> tuple[str, ...]:
        """What stands before the value of each."""
        if not self._kept_texts:
            own = dict(zip(self._labelnames, self._labelvalues, strict=True))
            self._kept_texts = tuple(
                text_before(self._name + sample.name, own | sample.labels) for sample in samples
            )
        return self._kept_texts


class Counter(_Kept, prometheus_client.Counter):
    """See there."""


class Gauge(_Kept, prometheus_client.Gauge):
    """See there."""


class Histogram(_Kept, prometheus_client.Histogram):
    """See there."""
