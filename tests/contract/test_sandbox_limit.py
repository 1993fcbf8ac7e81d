"""The limit: one bucket per account, its window, its headers."""

from __future__ import annotations

import math

import pytest

from tests.connectif_sandbox import OTHER_KEY, Api, running


async def _statuses(api: Api, count: int) -> list[int]:
    return [(await api.get("/store/")).status_code for _ in range(count)]


async def test_a_hundred_calls_a_minute_are_let_in_over_all_routes_and_the_next_is_429() -> None:
    async with running(calls_per_minute=100) as api:
        for number in range(50):
            assert (await api.get("/store/")).status_code == 200
            assert (await api.patch(f"/contacts/email/u{number}@mail.example", {})).status_code == 200
        answer = await api.delete("/contacts/email/u1@mail.example")
        assert answer.status_code == 429
        assert (await api.get("/store/", key=OTHER_KEY)).status_code == 200
        await api.clock.advance(60)
        assert (await api.get("/store/")).status_code == 200


async def test_a_refused_call_does_nothing() -> None:
    async with running(calls_per_minute=1) as api:
        await api.get("/store/")
        assert (await api.patch("/contacts/email/a@mail.example", {})).status_code == 429
        await api.clock.advance(60)
        assert (await api.get("/contacts/email/a@mail.example")).status_code == 404


async def test_a_fixed_window_opens_with_its_first_call() -> None:
    async with running(calls_per_minute=2) as api:
        await api.clock.advance(59)
        assert await _statuses(api, 3) == [200, 200, 429]
        await api.clock.advance(59)
        assert await _statuses(api, 1) == [429]
        await api.clock.advance(1)
        assert await _statuses(api, 3) == [200, 200, 429]


async def test_a_fixed_window_can_stand_on_the_clocks_minutes() -> None:
    async with running(calls_per_minute=2, window_start="aligned") as api:
        await api.clock.advance(60 - api.clock.now() % 60 + 59)
        assert await _statuses(api, 3) == [200, 200, 429]
        await api.clock.advance(1)
        assert await _statuses(api, 3) == [200, 200, 429]


async def test_a_sliding_window_frees_a_place_a_minute_after_each_call() -> None:
    async with running(calls_per_minute=2, window="sliding") as api:
        assert await _statuses(api, 1) == [200]
        await api.clock.advance(30)
        assert await _statuses(api, 2) == [200, 429]
        await api.clock.advance(30)
        assert await _statuses(api, 2) == [200, 429]


@pytest.mark.parametrize(("counted", "after_a_minute"), [(False, 200), (True, 429)])
async def test_refused_calls_count_in_a_sliding_window_only_when_told_to(
    counted: bool, after_a_minute: int
) -> None:
    async with running(calls_per_minute=1, window="sliding", refused_calls_count=counted) as api:
        assert await _statuses(api, 1) == [200]
        await api.clock.advance(30)
        assert await _statuses(api, 1) == [429]
        await api.clock.advance(31)
        assert await _statuses(api, 1) == [after_a_minute]


@pytest.mark.parametrize(("counted", "left"), [(True, "7"), (False, "9")])
async def test_calls_answered_4xx_use_up_the_limit_unless_told_not_to(counted: bool, left: str) -> None:
    async with running(calls_per_minute=10, client_errors_count=counted) as api:
        for _ in range(2):
            assert (await api.get("/products/product-id/none")).status_code == 404
        assert (await api.get("/store/")).headers["X-RateLimit-Remaining"] == left


async def test_every_answer_to_a_known_key_carries_the_three_headers() -> None:
    async with running(calls_per_minute=5) as api:
        answers = [
            await api.get("/store/"),
            await api.get("/nowhere"),
            await api.post("/purchases/", []),
            await api.post("/imports/", {}),
            await api.delete("/purchases/purchase-id/none"),
            await api.get("/store/"),
        ]
        assert [answer.status_code for answer in answers] == [200, 404, 422, 415, 204, 429]
        ends = str(math.ceil(api.clock.now() + 60))
        for place, answer in enumerate(answers):
            assert answer.headers["X-RateLimit-Limit"] == "5"
            assert answer.headers["X-RateLimit-Remaining"] == str(max(0, 4 - place))
            assert answer.headers["X-RateLimit-Reset"] == ends
            assert "Retry-After" not in answer.headers


async def test_reset_is_in_epoch_seconds_rounded_up() -> None:
    async with running(calls_per_minute=5) as api:
        await api.clock.advance(0.25)
        start = api.clock.now()
        reset = int((await api.get("/store/")).headers["X-RateLimit-Reset"])
        assert start + 60 <= reset < start + 61


async def test_reset_of_a_sliding_window_is_when_the_next_place_is_free() -> None:
    async with running(calls_per_minute=2, window="sliding") as api:
        first = api.clock.now()
        await api.get("/store/")
        await api.clock.advance(20)
        assert (await api.get("/store/")).headers["X-RateLimit-Reset"] == str(math.ceil(first + 60))


async def test_plain_headers_give_seconds_from_now() -> None:
    async with running(calls_per_minute=5, rate_headers="plain") as api:
        await api.get("/store/")
        await api.clock.advance(20)
        headers = (await api.get("/store/")).headers
        assert headers["RateLimit-Limit"] == "5"
        assert headers["RateLimit-Remaining"] == "3"
        assert headers["RateLimit-Reset"] == "40"
        assert "X-RateLimit-Reset" not in headers


async def test_the_headers_can_be_left_out() -> None:
    async with running(rate_headers="none") as api:
        assert not [name for name in (await api.get("/store/")).headers if "ratelimit" in name]


@pytest.mark.parametrize(
    ("case", "name"), [("canonical", b"X-RateLimit-Remaining"), ("lower", b"x-ratelimit-remaining")]
)
async def test_the_headers_names_are_capitalised_or_lower_case(case: str, name: bytes) -> None:
    async with running(rate_header_case=case) as api:
        assert name in [raw for raw, _ in (await api.get("/store/")).headers.raw]


async def test_retry_after_is_sent_on_a_429_only_when_switched_on() -> None:
    async with running(calls_per_minute=1, retry_after=True) as api:
        assert "Retry-After" not in (await api.get("/store/")).headers
        await api.clock.advance(12.5)
        assert (await api.get("/store/")).headers["Retry-After"] == "48"


@pytest.mark.parametrize(
    ("form", "body"),
    [("text", "Too Many Requests"), ("empty", ""), ("json", None)],
)
async def test_the_body_of_a_429_is_not_specified(form: str, body: str | None) -> None:
    async with running(calls_per_minute=1, limited_body=form) as api:
        await api.get("/store/")
        answer = await api.get("/store/")
        assert answer.status_code == 429
        if body is None:
            assert answer.json()["status"] == 429
        else:
            assert answer.text == body


async def test_speed_shortens_the_minute_and_reset_stays_a_moment() -> None:
    async with running(calls_per_minute=2, speed=60) as api:
        start = api.clock.now()
        headers = (await api.get("/store/")).headers
        assert headers["X-RateLimit-Reset"] == str(math.ceil(start + 1))
        assert await _statuses(api, 2) == [200, 429]
        await api.clock.advance(1)
        assert await _statuses(api, 1) == [200]


async def test_reset_can_carry_a_fraction_for_windows_that_end_within_a_second() -> None:
    async with running(speed=600, reset_fraction=True) as api:
        start = api.clock.now()
        assert float((await api.get("/store/")).headers["X-RateLimit-Reset"]) == pytest.approx(start + 0.1)
    async with running(speed=600, reset_fraction=True, rate_headers="plain") as api:
        assert (await api.get("/store/")).headers["RateLimit-Reset"] == "0.100"


async def test_answers_are_dated_by_the_sandboxs_clock() -> None:
    async with running() as api:
        assert (await api.get("/store/")).headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_a_switch_overrides_the_accounts_limit() -> None:
    async with running(calls_per_minute=1) as api:
        await api.switch(calls_per_minute=3)
        assert await _statuses(api, 4) == [200, 200, 200, 429]


async def test_a_burst_is_counted_as_refused_with_its_time() -> None:
    async with running(calls_per_minute=2) as api:
        assert await _statuses(api, 5) == [200, 200, 429, 429, 429]
        stats = await api.stats()
        assert stats["refused"] == 3
        assert stats["refused_at"] == ["2023-11-14T22:13:20.000Z"] * 3
        assert stats["max_calls_in_any_window"] == 5
        assert stats["max_admitted_in_a_window"] == 2


async def test_the_most_calls_in_any_minute_are_seen_across_two_windows() -> None:
    async with running(calls_per_minute=3) as api:
        assert await _statuses(api, 1) == [200]
        await api.clock.advance(59)
        assert await _statuses(api, 2) == [200, 200]
        await api.clock.advance(1)
        assert await _statuses(api, 3) == [200, 200, 200]
        stats = await api.stats()
        assert stats["refused"] == 0
        assert stats["max_admitted_in_a_window"] == 3
        assert stats["max_calls_in_any_window"] == 5
