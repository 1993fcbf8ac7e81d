"""What every registered platform must keep to, whatever its shops send."""

from __future__ import annotations

import configparser
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from pipeline.events import Kind, RawEvent
from pipeline.shops import api
from pipeline.shops import platform as declarations
from pipeline.shops.base import Rejected, Translation, WebhookRequest
from pipeline.shops.platform import WITHOUT_RECORDS, Ability, AnyPlatform, TopicMeaning, raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.translate.privacy_requests import PRIVACY_REQUESTS
from tests import platforms
from tests.platforms import IN_TESTS, greets, settings_of, verifies
from tests.shop_bodies import NOW_MS

ROOT = Path(__file__).parents[2]
FOLDERS = Path(pipeline.__file__).parent / "shops"
SECRET = b"the store's own secret"
EACH = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
TOPICS = [
    pytest.param(platform, row.name.replace("*", "odd"), id=f"{name}-{row.name}")
    for name, platform in PLATFORMS.items()
    for row in platform.topics.rows
]
REASON = re.compile(r"[a-z][a-z0-9_]{2,60}")

#: Bodies of any bytes, and of JSON that names entities as shops do.
leaves = st.integers(-5, 2**63) | st.text(max_size=8) | st.none() | st.booleans() | st.floats(-1e20, 1e20)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "ids", "orderId", "data", "type", "email", "line_items", "status", "value"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=80) | values.map(orjson.dumps)
header_texts = st.text(max_size=40)


def genuine(platform: AnyPlatform, topic: str, document: bytes, **headers: str) -> WebhookRequest:
    """A request as a shop of the platform sends it."""
    return platforms.genuine(platform, topic, document, SECRET, headers)


def some_topic(platform: AnyPlatform) -> str:
    """One that says something."""
    meant = {TopicMeaning.STATE, TopicMeaning.NOTIFICATION}
    name: str = next(row.name for row in platform.topics.rows if row.meaning in meant)
    return name


def kept(platform: AnyPlatform, request: WebhookRequest) -> RawEvent:
    """The event as translate reads it."""
    event = raw_event("acme", platform, request)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def meaning(platform: AnyPlatform, event: RawEvent) -> Translation | Rejected:
    """The event's meaning, or why it has none; whatever else is raised fails the test."""
    context = platform.store("acme", settings_of(platform.name))
    try:
        translation: Translation = platform.translate(event, context)
    except Rejected as rejected:
        return rejected
    return translation


@EACH
def test_it_has_a_row_in_the_tests_and_a_folder_of_its_own(platform: AnyPlatform) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*", platform.name)
    assert platform.name in IN_TESTS
    assert (FOLDERS / platform.name / "__init__.py").is_file()
    assert list((ROOT / "tests" / "cases" / platform.name).glob("*/expected.md"))


def test_nothing_else_lies_among_the_folders_of_platforms() -> None:
    assert {path.parent.name for path in FOLDERS.glob("*/__init__.py")} == set(PLATFORMS)
    assert IN_TESTS.keys() == PLATFORMS.keys()


@EACH
def test_its_folder_is_kept_apart(platform: AnyPlatform) -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    protected = contracts["importlinter:contract:platforms"]["protected_modules"].split()
    assert f"pipeline.shops.{platform.name}" in protected


def test_nothing_outside_its_folder_names_a_platform() -> None:
    package = FOLDERS.parent
    # Connectif's own word for its script in shops of one's own.
    other_meaning = {package / "check" / "page" / "script.py": {"generic"}}
    shown = {package / "demo", package / "sandbox", *(FOLDERS / name for name in PLATFORMS)}
    for path in package.rglob("*.py"):
        if path != FOLDERS / "registry.py" and shown.isdisjoint(path.parents):
            code = path.read_text(encoding="utf-8").replace("Generic", "").lower()  # Python's own class
            named = {name for name in PLATFORMS if name in code}
            assert named <= other_meaning.get(path, set()), path


@EACH
def test_every_setting_of_its_own_says_what_it_is(platform: AnyPlatform) -> None:
    assert issubclass(platform.settings, StoreSettings)
    for name in platform.own_settings:
        field = platform.settings.model_fields[name]
        assert field.description, name
        if field.is_required() or field.default is None:
            assert field.examples, name


@EACH
def test_no_setting_that_every_store_has_means_another_thing(platform: AnyPlatform) -> None:
    for name, field in StoreSettings.model_fields.items():
        assert platform.settings.model_fields[name].annotation == field.annotation


@EACH
def test_its_topics_stand_there_once(platform: AnyPlatform) -> None:
    names = [row.name for row in platform.topics.rows]
    assert len(set(names)) == len(names)
    menus = [row.menu for row in platform.topics.asked_for()]
    assert menus or Ability.REGISTER in platform.abilities, "nobody makes its webhooks"
    assert len(set(menus)) == len(menus)


@EACH
def test_a_topic_says_why_nothing_follows_from_it_or_what_follows(platform: AnyPlatform) -> None:
    for row in platform.topics.rows:
        assert isinstance(row.kind, Kind)
        assert bool(row.reason) == (row.meaning in WITHOUT_RECORDS), row.name
        assert not row.reason or REASON.fullmatch(row.reason)
        nothing_follows = row.reason and row.meaning is not TopicMeaning.NOTIFICATION
        assert not (row.menu and nothing_follows), f"{row.name} is asked for, and nothing follows from it"
        assert not row.setting or row.menu
        assert not row.setting or row.setting in platform.settings.model_fields
        if row.said_by:
            other = platform.topics.get(row.said_by)
            assert other is not None
            assert (other.menu, other.kind) != ("", None)
            assert other.kind is row.kind


@EACH
def test_what_is_only_announced_can_be_fetched(platform: AnyPlatform) -> None:
    announced = [row for row in platform.topics.rows if row.meaning is TopicMeaning.NOTIFICATION]
    assert bool(announced) == (Ability.FETCH in platform.abilities)
    assert not announced or platform.api is not None
    assert (Ability.PULL in platform.abilities) == (platform.pull is not None)
    assert platform.pull is None or platform.api is not None
    assert (Ability.WRITE_BACK in platform.abilities) == (platform.consent is not None)
    assert platform.consent is None or platform.api is not None
    assert all(row.reason == api.IGNORED for row in announced)


@EACH
def test_no_webhook_is_taken_for_what_the_api_said(platform: AnyPlatform) -> None:
    forged = genuine(platform, f"{api.FETCHED}order", b'{"id":7,"documents":[]}')
    assert not kept(platform, forged).topic.startswith(api.FETCHED)


@EACH
def test_a_request_about_privacy_is_said_to_a_person(platform: AnyPlatform) -> None:
    reasons = {row.reason for row in platform.topics.rows if row.meaning is TopicMeaning.PRIVACY}
    assert reasons <= PRIVACY_REQUESTS.keys()


@pytest.mark.parametrize(("platform", "topic"), TOPICS)
def test_a_topic_reaches_its_reader_or_is_ignored_for_its_reason(platform: AnyPlatform, topic: str) -> None:
    row = platform.topics.get(topic)
    assert row is not None
    event = kept(platform, genuine(platform, topic, b'{"id":7}'))
    assert event.topic == topic
    assert event.kind is row.kind
    said = meaning(platform, event)
    if row.reason:
        assert isinstance(said, Translation)
        assert (said.drafts, said.ignored) == ((), row.reason)
    else:
        assert isinstance(said, Rejected) or said.ignored != "unknown_topic"


@EACH
def test_a_topic_that_nobody_knows_is_kept_and_ignored(platform: AnyPlatform) -> None:
    said = meaning(platform, kept(platform, genuine(platform, "stranger/than.fiction", b'{"id":7}')))
    assert isinstance(said, Translation)
    assert said.ignored == "unknown_topic"


@EACH
def test_only_its_secrets_make_a_request_genuine(platform: AnyPlatform) -> None:
    request = genuine(platform, some_topic(platform), b'{"id":7}')
    body = request.body
    assert verifies(platform, [SECRET], request.headers, body)
    assert verifies(platform, [b"the new one", SECRET], request.headers, body)
    assert not verifies(platform, [b"another"], request.headers, body)
    assert not verifies(platform, [], request.headers, body)
    assert not verifies(platform, [SECRET], {}, body)
    assert not greets(platform, request.headers, body)


@EACH
def test_no_two_requests_are_one_delivery_unless_the_shop_repeats_itself(platform: AnyPlatform) -> None:
    header = IN_TESTS[platform.name].delivery_header

    def delivery(number: int) -> str:
        document = b'{"id":7}' if header else b'{"id":7,"n":%d}' % number
        headers = {header: str(number)} if header else {}
        return kept(platform, genuine(platform, some_topic(platform), document, **headers)).delivery

    assert delivery(1) == delivery(1)
    assert delivery(1) != delivery(2)


@EACH
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_comes_its_functions_never_raise(platform: AnyPlatform, data: st.DataObject) -> None:
    document = data.draw(bodies)
    known = [row.name.replace("*", "odd") for row in platform.topics.rows]
    topic = data.draw(st.sampled_from(known) | header_texts)
    request = genuine(platform, topic, document)
    body = request.body if data.draw(st.booleans()) else document
    spoilt = {name: data.draw(header_texts | st.just(value)) for name, value in request.headers.items()}
    request = WebhookRequest(spoilt, body, NOW_MS, data.draw(header_texts), "POST")
    secrets = data.draw(st.lists(st.binary(max_size=20), max_size=2))
    assert platform.verify(secrets, request, settings_of(platform.name)) in {True, False}
    if platform.greeting is not None:
        assert isinstance(platform.greeting(request), str | None)
    for one in [request] if platform.split is None else platform.split(request):
        event = kept(platform, one)
        assert event.entity
        assert event.delivery
        said = meaning(platform, event)
        assert REASON.fullmatch(said.reason if isinstance(said, Rejected) else said.ignored)


@pytest.mark.parametrize("declaration", [declarations.Platform, declarations.WebhookTopic])
def test_every_field_of_a_declaration_is_explained(declaration: Any) -> None:
    explained = inspect.getdoc(declaration) or ""
    for field in dataclasses.fields(declaration):
        assert f"\n    {field.name}: " in explained, field.name
