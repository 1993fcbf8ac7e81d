"""What single settings may be: names, addresses, secrets. Each check says what is wrong in one sentence."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

MAX_PORT = 65_535
#: In the validation's context: the secrets that are needed; the others are not read.
NEEDED_SECRETS = "needed_secrets"
#: Names of settings that hold secrets; None: all of them.
SecretNames = frozenset[str] | None
ALL_SECRETS: SecretNames = None
NO_SECRETS: SecretNames = frozenset()
BY_REFERENCE = 'use { env = "NAME" } or { file = "path" }'

#: Names of stores and accounts appear in keys (`store|kind|id`), labels, paths and URLs.
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
#: It stands before the code in a record's id, `set/code`.
CouponSetId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

#: What `kafka.security` may hold: how to connect, and nothing that changes what a client promises.
SECURITY = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    }
)
SECURITY_SECRETS = frozenset({"sasl.password", "ssl.key.password"})
SECURITY_FILES = frozenset({"ssl.ca.location", "ssl.certificate.location", "ssl.key.location"})


def secret_text(secret: SecretStr | None) -> str:
    """What a secret is, to be told to whom it opens; "" where there is none."""
    return "" if secret is None else secret.get_secret_value()


class UnreadSecret(SecretStr):
    """Stands for a secret that the process does not need, and so has not read."""

    def __init__(self) -> None:
        super().__init__("")


def read_secret(value: object, info: ValidationInfo) -> object:
    """`{ env = "NAME" }` or `{ file = "path" }` -> the secret, without the white space around it."""
    needed: SecretNames = (info.context or {}).get(NEEDED_SECRETS)
    if needed is not None and info.field_name not in needed:
        return UnreadSecret()
    return (_named(value) if isinstance(value, Mapping) else value) or ""


def _named(value: Mapping[Any, Any]) -> str:
    if set(value) == {"env"}:
        name = str(value["env"])
        if name not in os.environ:
            raise ValueError(f"environment variable {name} is not set")
        return os.environ[name].strip()
    if set(value) == {"file"}:
        path = Path(str(value["file"]))
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8 text") from None
        except ValueError:
            raise ValueError(f"{str(path)!r} is no path") from None
    raise ValueError('a secret is { env = "NAME" } or { file = "path" }')


def _not_empty(secret: SecretStr) -> SecretStr:
    """Refuse an empty secret: anybody could sign with it."""
    if not secret.get_secret_value().strip() and not isinstance(secret, UnreadSecret):
        raise ValueError("the secret is empty")
    return secret


def key_of_connectif(secret: SecretStr) -> SecretStr:
    """It is sent in a header as it stands."""
    if not isinstance(secret, UnreadSecret) and not re.fullmatch(
        r"[!-9;-~]+:[!-~]+", secret.get_secret_value()
    ):
        raise ValueError('an API key is "id:secret", both without spaces')
    return secret


def http_token(secret: SecretStr) -> SecretStr:
    """It is sent in a header as it stands, and anybody who reaches a worker may try others."""
    if not isinstance(secret, UnreadSecret) and not re.fullmatch(r"[!-~]{8,}", secret.get_secret_value()):
        raise ValueError("a token has 8 or more letters, digits and signs of ASCII, without spaces")
    return secret


def callback_token(secret: SecretStr) -> SecretStr:
    """It stands in an address, and anybody who reaches the gateway may try others."""
    if isinstance(secret, UnreadSecret):
        return secret
    if not re.fullmatch(r"[A-Za-z0-9_-]{24,200}", secret.get_secret_value()):
        raise ValueError("a callback's token has 24 to 200 letters, digits, - and _: `openssl rand -hex 24`")
    return secret


Secret = Annotated[SecretStr, BeforeValidator(read_secret), AfterValidator(_not_empty)]
CallbackToken = Annotated[SecretStr, BeforeValidator(read_secret), AfterValidator(callback_token)]


def security(value: object, info: ValidationInfo) -> object:
    """Check the names of `kafka.security`, and read its passwords."""
    if not isinstance(value, Mapping):
        return value
    read: dict[object, object] = {}
    for name, item in value.items():
        if name not in SECURITY:
            raise ValueError(
                f"{name} is not to be set here: this is how to connect ({', '.join(sorted(SECURITY))}); what "
                "a client promises (acks, idempotence, time-outs) is the program's own"
            )
        if name in SECURITY_SECRETS and not isinstance(item, SecretStr):
            secret = read_secret(item, info)
            if isinstance(secret, UnreadSecret):
                read[name] = secret
                continue
            if not isinstance(secret, str) or not secret.strip():
                raise ValueError(f"{name}: the secret is empty")
            read[name] = SecretStr(secret)
        else:
            read[name] = item
    return read


def web_address(url: str) -> str:
    """The address of Connectif, or of a simulation of it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    said = url.isascii() and ".." not in url.split("/") and not re.search(r"[\s\\?#@]", url)
    if not usable or not said:
        raise ValueError("must be an address such as https://api.connectif.cloud")
    if parts.scheme == "http" and not is_private(parts.hostname or ""):
        raise ValueError(
            "must begin with https://, or the API key could be read in transit; http:// is for a sandbox on "
            "this machine or in a private network"
        )
    return url


def storage_url(url: str) -> str:
    """Where files are kept, as fsspec names it; without keys or passwords in it."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s?#]+", url) or ".." in url.split("/"):
        raise ValueError("must be an address such as file:///srv/archive or s3://bucket/folder")
    if "@" in url:
        raise ValueError("must have no keys in it: fsspec takes those from the environment")
    return url


def is_private(host: str) -> bool:
    """Whether a host is of this machine or of a private network: no name or number of the public internet."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        mapped = getattr(address, "ipv4_mapped", None) or address
        return bool(mapped.is_loopback or mapped.is_private) and not mapped.is_unspecified
    # A name without a dot is of a container or of the local network; one that looks like a number may be one.
    alone = re.fullmatch(r"[a-z][a-z0-9_-]*", host) and not re.fullmatch(r"0x[0-9a-f]*", host)
    return bool(alone or re.fullmatch(r".+\.(?:localhost|local|internal|test|home\.arpa)", host))


def is_loopback(url: str) -> bool:
    """Whether calls to the URL stay on this machine: a sandbox's."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if re.fullmatch(r"localhost|.*\.localhost", host):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shop_address(domain: str) -> str:
    """A host, with a path where the shop has one; it is put after `https://`."""
    segments = domain.split("/")[1:]
    if not re.fullmatch(r"[^\s/?#@]+(?:/[^\s/?#]+)*", domain) or any(s.startswith("..") for s in segments):
        raise ValueError("must be the shop's address without https://, such as acme.example")
    return domain


def web_origin(origin: str) -> str:
    """A domain as Connectif's list of authorised domains has it: with its scheme."""
    if not re.fullmatch(r"https?://[^\s/?#@:]+(?::[0-9]{1,5})?/?", origin):
        raise ValueError(
            f"{origin[:100]!r} must be written as in Connectif, with its scheme: https://acme.example"
        )
    return origin


def page_address(url: str) -> str:
    """A product's page, with `{domain}`, `{id}` and `{sku}` to be filled in."""
    try:
        page = url.format(domain="acme.example", id="1", sku="1")
    except (KeyError, IndexError, ValueError, AttributeError):
        raise ValueError("may have {domain}, {id} and {sku} in it, and no other braces") from None
    if not re.match(r"https?://[^\s/]+", page):
        raise ValueError("must be an address such as https://{domain}/products/{id}")
    return url


def servers(text: str) -> str:
    """Kafka's addresses: its clients wait for ever for one without a port, without an error."""
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        named = re.fullmatch(r"[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\]", host)
        if not named or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= MAX_PORT:
            raise ValueError(
                "must be host:port, several with commas between, such as kafka-1:9092,kafka-2:9092"
            )
    return text


def known_zone(name: str) -> str:
    """A time zone by its IANA name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}; use an IANA name such as Europe/Madrid") from error
    return name


_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def time_of_day(value: object) -> object:
    """`04:30`, or TOML's own time."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError("must be a time of day such as 04:30")


def some_path(path: Path) -> Path:
    """An empty one would be the directory that the process happens to be started in."""
    if path == Path() or "\0" in str(path):
        raise ValueError("must name a directory of the pipeline's own")
    return path
