"""What a run did not see, of all that is remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import Kind
from pipeline.sync.pull.rows import MissingSearch, RowKey, Seen

RUN = 7
#: Entity, topic ("" where it is gone), and the last run that saw the row.
ROWS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "updated", "consent"])),
    st.integers(5, RUN),
    max_size=20,
)


@given(ROWS)
def test_missing_is_whoever_no_row_was_seen_of_and_is_not_gone(
    rows_of: dict[tuple[str, str], int],
) -> None:
    rows = {RowKey(Kind.PRODUCT, entity, topic): Seen(run, b"") for (entity, topic), run in rows_of.items()}
    search = MissingSearch(RUN)
    for look in (search.first, search.second):
        for key, row in rows.items():
            look(key, row)
    found = search.found()
    gone = {key.entity for key in rows if not key.topic}
    seen = {key.entity for key, row in rows.items() if key.topic and row.run == RUN}
    told = {key.entity for key in rows if key.topic}
    assert found.rows.keys() == told - seen - gone
    assert all(rows[key] == row for one in found.rows.values() for key, row in one.items())
    assert len(found.rows) <= len(told - gone)
    known = [{key.entity for key in rows if key.topic == topic} - gone for topic in ("updated", "consent")]
    assert found.known == max(map(len, known))
