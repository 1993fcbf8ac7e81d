"""How shops let requests in: fixed headers, Basic, Bearer, tokens that expire, OAuth 1.0a, by the RFCs."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Protocol
from urllib.parse import parse_qsl, quote, unquote

from pydantic import BaseModel, ConfigDict, Field

_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
#: Seconds by which a signed request's clock may be off.
_SKEW = 300


class Asked(Protocol):
    """A request, as far as access goes by it."""

    @property
    def method(self) -> str:
        """`GET`, ..."""

    @property
    def url(self) -> str:
        """Without its query."""

    @property
    def query(self) -> str:
        """What stands behind the `?`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""


class _Scheme(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Anyone(_Scheme):
    """No credentials."""

    scheme: Literal["none"] = "none"

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:  # noqa: ARG002
        """Always."""
        return True


class FixedHeaders(_Scheme):
    """Headers with fixed values."""

    scheme: Literal["headers"] = "headers"
    headers: dict[str, str]

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:  # noqa: ARG002
        """Whether each has its value."""
        return all(asked.headers.get(name.lower()) == value for name, value in self.headers.items())


class Basic(_Scheme):
    """RFC 7617."""

    scheme: Literal["basic"] = "basic"
    user: str
    password: str = ""

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:  # noqa: ARG002
        """Whether user and password are right."""
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return asked.headers.get("authorization") == f"Basic {expected}"


class Bearer(_Scheme):
    """RFC 6750, with a fixed token."""

    scheme: Literal["bearer"] = "bearer"
    token: str
    headers: dict[str, str] = Field(default_factory=dict)

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:  # noqa: ARG002
        """Whether the token is right, and further headers are."""
        rest = all(asked.headers.get(name.lower()) == value for name, value in self.headers.items())
        return rest and asked.headers.get("authorization") == f"Bearer {self.token}"


class Expiring(_Scheme):
    """Tokens from a path of their own, for client credentials in a form (RFC 6749, 4.4)."""

    scheme: Literal["expiring"] = "expiring"
    token_path: str
    client_id: str
    client_secret: str
    life: float = Field(default=3_600.0, gt=0)
    header: str = Field(default="", description="the header with the bare token; left out, a bearer's")

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:
        """Whether the newest token was sent, and is good."""
        if self.header:
            return takes(asked.headers.get(self.header.lower(), ""), now)
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and takes(token, now)

    def grants(self, form: str) -> bool:
        """Whether a form asks for a token with the right credentials."""
        said = dict(parse_qsl(form))
        right = (said.get("client_id"), said.get("client_secret")) == (self.client_id, self.client_secret)
        return right and said.get("grant_type", "client_credentials") == "client_credentials"


class OAuth1(_Scheme):
    """RFC 5849 with HMAC-SHA256 or HMAC-SHA1, credentials in the header."""

    scheme: Literal["oauth1"] = "oauth1"
    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str

    def lets_in(self, asked: Asked, now: float, takes: Callable[[str, float], bool]) -> bool:  # noqa: ARG002
        """Whether the signature is right and young."""
        given = asked.headers.get("authorization", "")
        said = {name: unquote(value) for name, value in _PARAMETER.findall(given)}
        if not given.startswith("OAuth ") or not said.get("oauth_timestamp", "").isdecimal():
            return False
        who = (said.get("oauth_consumer_key"), said.get("oauth_token"))
        if who != (self.consumer_key, self.token) or abs(now - int(said["oauth_timestamp"])) > _SKEW:
            return False
        digest = {"HMAC-SHA256": "sha256", "HMAC-SHA1": "sha1"}.get(said.get("oauth_signature_method", ""))
        if digest is None:
            return False
        signature = said.pop("oauth_signature", "")
        said.pop("realm", None)
        key = f"{_encoded(self.consumer_secret)}&{_encoded(self.token_secret)}".encode()
        expected = hmac.digest(key, _base_string(asked, said).encode(), digest)
        return hmac.compare_digest(base64.b64encode(expected), signature.encode())


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _base_string(asked: Asked, oauth: Mapping[str, str]) -> str:
    """RFC 5849, 3.4.1."""
    pairs = [*oauth.items(), *parse_qsl(asked.query, keep_blank_values=True)]
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    normal = "&".join(f"{name}={value}" for name, value in encoded)
    return "&".join((asked.method.upper(), _encoded(asked.url), _encoded(normal)))


Access = Annotated[Anyone | FixedHeaders | Basic | Bearer | Expiring | OAuth1, Field(discriminator="scheme")]
