"""Whose turn it is: smooth weighted round robin, so that no one waits longer than the weights say."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Turns(Generic[T]):
    """Takes turns among those who want one; who does not want one saves nothing up.

    Args:
        weights: name -> its share of the turns while all want one.
    """

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._weights = dict(weights)
        self._credits = dict.fromkeys(weights, 0)

    def order(self, wanting: Iterable[T]) -> list[T]:
        """Who goes first, second and so on, if the first cannot."""
        names = set(wanting)
        for name in self._credits:
            if name not in names:
                self._credits[name] = 0
        return sorted(names, key=lambda name: (-self._credits[name] - self._weights[name], str(name)))

    def took(self, name: T, wanting: Iterable[T]) -> None:
        """This one had its turn while those wanted one."""
        for other in wanting:
            self._credits[other] += self._weights[other]
            self._credits[name] -= self._weights[other]
