"""VTEX's list of products with their articles, page by page. It has no dates: all of them are read each time.

What is counted, places or ids, VTEX's documentation leaves open. Both are read to their end: the total ends
the list where it is one of places, and a page beyond it that is empty where it is one of ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.events import Kind
from pipeline.shops.api import FETCHED, ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.pull import MAX_ROWS, PulledRow, PullPage, PullPass, PullScope, query_of
from pipeline.shops.vtex.lookups import article_path, articles_path
from pipeline.shops.vtex.settings import VtexSettings

PATH = "/api/catalog_system/pvt/products/GetProductAndSkuIds"
PER_PAGE = 250
#: Places that two pages share: a product that goes moves those behind it.
_SHARED = 25
_PRODUCT = f"{FETCHED}{Kind.PRODUCT}"


def first() -> ApiRequest:
    """The first page."""
    return _request(1)


def read(settings: VtexSettings, scope: PullScope, request: ApiRequest, answer: object) -> PullPage:
    """The products of a page.

    Raises:
        Rejected: `not_a_page`.
    """
    said = query_of(request)
    begin, end = (int(said.get(name, "")) for name in ("_from", "_to"))
    data = answer.get("data") if isinstance(answer, dict) else None
    extent = answer.get("range") if isinstance(answer, dict) else None
    total = extent.get("total") if isinstance(extent, dict) else None
    if not isinstance(data, dict) or isinstance(total, bool) or not isinstance(total, int):
        raise Rejected("not_a_page", "data", "no list of products with its range")
    if len(data) > MAX_ROWS or not all(one.isascii() and one.isdigit() and len(one) < 20 for one in data):  # noqa: PLR2004 - as ids are
        raise Rejected("not_a_page", "data", "too many products, or one whose id is no number")
    found = [(one, _articles(listed)) for one, listed in data.items()]
    following = None if _is_last([int(one) for one in data], begin, end, total) else end + 1 - _SHARED
    asked = None if following is None else _request(following)
    if scope.reads is PullPass.PRESENT:
        return PullPage([PulledRow(one, _PRODUCT, b"", None) for one, _ in found], asked)
    entries = [entry for one, articles in found for entry in _entries(settings, one, articles)]
    rows = [PulledRow(one, _PRODUCT, b"", None) for one, _ in entries]
    return PullPage(rows, asked, [(number, (path,)) for number, (_, path) in enumerate(entries)])


def _request(begin: int) -> ApiRequest:
    return ApiRequest(f"{PATH}?_from={begin}&_to={begin + PER_PAGE - 1}")


def _is_last(ids: list[int], begin: int, end: int, total: int) -> bool:
    """Whether nothing comes behind a page."""
    if not ids or max(ids) > end:  # places are counted, or nothing is left to be
        return end >= total
    return max(ids) < begin  # an earlier page comes again


def _articles(listed: object) -> list[str]:
    found = [str(one) for one in listed if isinstance(one, int)] if isinstance(listed, list) else None
    if found is None or len(found) != len(listed if isinstance(listed, list) else ()):
        raise Rejected("not_a_page", "data", "a product without a list of its articles")
    return found


def _entries(settings: VtexSettings, product: str, articles: list[str]) -> Iterator[tuple[str, str]]:
    """The product, or each of its articles where these are told, with the path that is asked first."""
    if settings.product_id == "product":
        yield product, articles_path(product)
        return
    for article in articles:
        yield product, article_path(article)
