"""Message keys: each its own, and what it is about, and so its partition, are told from it."""

from __future__ import annotations

import multiprocessing
import os

from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.deadletters import dead_letter
from pipeline.kafka.keys import entity_key, is_key_of, unique_key
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.topics import letter_partition


@given(st.binary(max_size=60))
def test_a_key_says_what_it_is_about_whatever_that_is(about: bytes) -> None:
    made = unique_key(about)
    assert entity_key(made) == entity_key(about)
    # Made of one that was made before, it is about the same.
    assert entity_key(unique_key(made)) == entity_key(about)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=60))
def test_a_key_of_version_0_2_is_about_itself(text: str) -> None:
    about = text.encode()
    assert entity_key(about) == about
    assert is_key_of(about, about)
    assert is_key_of(unique_key(about), about)


def test_no_key_is_another_ones() -> None:
    assert len({unique_key(b"acme|order|1") for _ in range(10_000)}) == 10_000
    assert not is_key_of(None, b"acme|order|1")
    assert not is_key_of(unique_key(b"acme|order|12"), b"acme|order|1")
    assert not is_key_of(unique_key(b"acme|order|1"), b"acme|order|12")


def test_no_key_of_a_process_is_one_of_the_process_it_was_forked_from() -> None:
    before = unique_key(b"")
    ours, theirs = multiprocessing.Pipe()
    child = os.fork()
    if not child:
        theirs.send([unique_key(b"") for _ in range(3)])
        os._exit(0)
    os.waitpid(child, 0)
    assert not {before, *(unique_key(b"") for _ in range(3))}.intersection(ours.recv())


def test_a_dead_letter_has_a_key_of_its_own_and_the_partition_of_what_it_is_about() -> None:
    about = b"acme-es|order|1"
    message = LibrdkafkaMessage("shop.orders", 0, 1, 2, unique_key(about), b"{}", [])
    letters = [
        dead_letter(message, max_bytes=size, reason="r", stage="s", topic="t", partition=0, offset=1, at_ms=2)
        for size in (100_000, 100_000, 1)
    ]
    assert len({letter.key for letter in letters}) == 3
    # One that is too large to be copied is about nothing any more.
    assert [entity_key(letter.key) for letter in letters] == [about, about, b""]
    assert letter_partition(letters[0].key) == letter_partition(about)
