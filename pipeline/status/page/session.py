"""Who may see and do what on the page: cookies made of the token, so that nothing has to be kept. Pure."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import deque
from collections.abc import Mapping

from pydantic import SecretStr

#: Its name, and seconds for which it is good.
COOKIE, LASTS = "pipeline_status", 12 * 3_600
#: Wrong tokens within so many seconds, over all callers, after which none is looked at.
WRONG, WITHIN = 10, 60.0


class Sessions:
    """Makes and checks cookies, and the keys of forms.

    A cookie is the time of its end and a code over it that only who has the token can make. A form's key is
    a code over the cookie: a page of somebody else's cannot know it.

    Args:
        token: the setting `http_token`; None: nobody signs in.
    """

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token
        self._wrong: deque[float] = deque(maxlen=WRONG)

    @property
    def possible(self) -> bool:
        """Whether there is a token to sign in with."""
        return self._token is not None

    def limited(self, now: float) -> bool:
        """Whether too many wrong tokens were given lately; `now` in seconds."""
        return len(self._wrong) == WRONG and now - self._wrong[0] < WITHIN

    def sign_in(self, given: str, now: float) -> str | None:
        """The cookie for whoever gives the token; None for others."""
        if self._token is None or self.limited(now):
            return None
        if not hmac.compare_digest(given.encode(), self._token.get_secret_value().encode()):
            self._wrong.append(now)
            return None
        ends = f"{math.ceil(now) + LASTS}"
        return f"{ends}.{self._code('cookie', ends)}"

    def is_good(self, cookie: str, now: float) -> bool:
        """Whether a cookie is ours and has not ended."""
        ends, _, code = cookie.partition(".")
        if self._token is None or not (ends.isascii() and ends.isdigit() and len(ends) < 12):  # noqa: PLR2004
            return False
        return hmac.compare_digest(code.encode(), self._code("cookie", ends).encode()) and now < int(ends)

    def form_key(self, cookie: str) -> str:
        """What each form of this cookie's owner carries."""
        return self._code("form", cookie)

    def is_of_form(self, key: str, cookie: str) -> bool:
        """Whether a form was made for this cookie's owner."""
        return hmac.compare_digest(key.encode(), self.form_key(cookie).encode())

    def _code(self, purpose: str, text: str) -> str:
        assert self._token is not None  # noqa: S101 - nobody has a cookie without a token
        key = self._token.get_secret_value().encode()
        return hmac.new(key, f"pipeline status {purpose}|{text}".encode(), hashlib.sha256).hexdigest()


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a form was sent by a page of another site."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
