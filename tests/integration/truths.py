"""What an expression's values have to come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tests.integration.watching import Values

Truth = Callable[[Values], bool]


def rows(counts: Mapping[tuple[str, str], int]) -> Truth:
    """By store and kind; those that are not named are there, too, and 0."""

    def check(values: Values) -> bool:
        found = {(dict(labels)["store"], dict(labels)["kind"]): value for labels, value in values.items()}
        return {key: value for key, value in found.items() if value} == counts and len(found) > len(counts)

    return check


def only(value: float) -> Truth:
    """One series of this value."""
    return lambda values: list(values.values()) == [value]


def one_within(low: float, high: float) -> Truth:
    """One series, between these."""
    return lambda values: len(values) == 1 and low <= next(iter(values.values())) <= high


def all_within(low: float, high: float, *labels: str) -> Truth:
    """At least one series, each between these; these are among the values of their labels."""

    def check(values: Values) -> bool:
        names = {value for found in values for _, value in found}
        known = [value for value in values.values() if not math.isnan(value)]
        return bool(known) and all(low <= value <= high for value in known) and set(labels) <= names

    return check


def is_as(wanted: Values) -> Truth:
    """Exactly these series."""
    return lambda values: values == wanted


def by(counts: Mapping[tuple[str, ...], float], *labels: str) -> Truth:
    """Exactly these values that are not 0, by the values of these labels."""

    def check(values: Values) -> bool:
        found = {tuple(dict(series).get(label, "") for label in labels): values[series] for series in values}
        return len(found) == len(values) and {key: value for key, value in found.items() if value} == counts

    return check


def named(label: str, *wanted: str) -> Truth:
    """Exactly these values of a label, whatever the figures."""
    return lambda values: sorted(dict(series).get(label, "") for series in values) == sorted(wanted)


def among(label: str, *possible: str) -> Truth:
    """Series with no other values of a label."""
    return lambda values: {dict(series).get(label, "") for series in values} <= set(possible)


def rising(label: str, *wanted: str) -> Truth:
    """These values of a label are there, above 0, and no other is."""
    return lambda values: {dict(one)[label] for one, value in values.items() if value > 0} == set(wanted)


def both(*truths: Truth) -> Truth:
    """All of these."""
    return lambda values: all(truth(values) for truth in truths)


def nothing(values: Values) -> bool:
    """No series at all."""
    return not values


def anything(_values: Values) -> bool:
    """There may be nothing to tell."""
    return True
