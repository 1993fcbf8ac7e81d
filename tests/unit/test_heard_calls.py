"""What an account's calls were good for: the figures from which the waste of its budget is read."""

from __future__ import annotations

import pytest

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.deliver.send.admission import COMPARE, CONSENT, LOOK, REPAIR, STOCK, TELL, WITHOUT, HeardCall
from pipeline.deliver.send.health import sign_of


@pytest.mark.parametrize(
    ("purpose", "kind", "use"),
    [
        (TELL, AnswerKind.CREATED, "told"),
        (WITHOUT, AnswerKind.OK, "told"),
        (TELL, AnswerKind.ALREADY, "told"),
        *((purpose, AnswerKind.OK, "asked") for purpose in (CONSENT, LOOK, COMPARE, REPAIR, STOCK)),
        (TELL, AnswerKind.LIMITED, "wasted"),
        (LOOK, AnswerKind.LIMITED, "wasted"),
        (TELL, AnswerKind.UNAVAILABLE, "wasted"),
        (LOOK, AnswerKind.TIMEOUT, "wasted"),
        (TELL, AnswerKind.UNAUTHORISED, "wasted"),
        (TELL, AnswerKind.ABSENT, "wasted"),
    ],
)
def test_a_call_has_told_has_asked_or_was_wasted(purpose: str, kind: AnswerKind, use: str) -> None:
    answer = Answer(kind)
    call = HeardCall("live", "purchases", purpose, answer, sign_of(answer, may_be_absent=False), 0.1)
    assert call.use == use
