"""Shops of each platform, first full sync to daily pull: Connectif holds what they do, whatever is killed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import pytest

from pipeline.demo.totals import PipelineTotals
from tests.broker import RunningKafka
from tests.integration.operating import Site, running_site
from tests.proof import running
from tests.proof.platforms import PROVED
from tests.proof.proof import Proof
from tests.proof.truth import Size

pytestmark = pytest.mark.kafka
SMALL = Size(contacts=60, products=40, orders=90)


def proved(site: Site, platforms: Sequence[str], seed: int, kills: tuple[int, int]) -> None:
    with closing(Proof(site, platforms, SMALL, seed=seed, patience=240)) as proof:
        goes_through(proof, kills)
    totals: PipelineTotals = site.totals()
    assert list(totals.unbalanced(repeats=True)) == []
    assert site.dead() == []


def goes_through(proof: Proof, kills: tuple[int, int]) -> None:
    proof.first_sync(kills=kills[0])
    assert proof.lasting_differences() == {}
    proof.a_day(share=0.08, lost=0.25)
    proof.daily_pull(kills=kills[1])
    assert proof.lasting_differences() == {}
    runs = proof.second_pull()
    assert [one["sent"] for run in runs for one in run["passes"]] == [
        0 for run in runs for _ in run["passes"]
    ]
    assert +proof.phases[-1].calls == {}, "what was told before costs no call"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platforms", "kills"),
    [
        pytest.param(["shopify", "vtex"], (1, 1), id="two"),
        pytest.param(list(PROVED), (3, 2), id="all"),
    ],
)
def test_connectif_holds_what_shops_do_though_sync_is_killed_and_webhooks_are_lost(
    kafka: RunningKafka,
    tmp_path_factory: pytest.TempPathFactory,
    platforms: list[str],
    kills: tuple[int, int],
) -> None:
    with running_site(kafka, tmp_path_factory, "proof", lambda url: running.stores(platforms, url)) as site:
        proved(site, platforms, seed=1, kills=kills)
