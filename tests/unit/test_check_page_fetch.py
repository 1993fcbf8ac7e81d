"""A page over HTTP: what is asked, followed and taken, and where it ends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.check.page import fetch
from pipeline.check.page.fetch import Unreadable
from pipeline.check.page.hosts import Refused, is_loopback
from pipeline.outgoing import is_public

HTML = {"Content-Type": "text/html; charset=utf-8"}
#: By path: status, headers, body.
Answers = dict[str, tuple[int, dict[str, str], bytes]]
Serve = Callable[[Answers], str]


@pytest.fixture(name="serve")
def _serve() -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def serve(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers[self.path.partition("?")[0]]
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text.replace("SELF", f"{self.headers['Host']}"))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_page_is_taken_with_its_header_and_address(serve: Serve) -> None:
    base = serve({"/a": (200, HTML, b"<p>x")})
    got = fetch.of_url(f"{base}/a?order=1")
    assert (got.body, got.content_type, got.url) == (b"<p>x", HTML["Content-Type"], f"{base}/a?order=1")


def test_a_packed_page_is_unpacked_and_bounded(serve: Serve) -> None:
    packed = {**HTML, "Content-Encoding": "gzip"}
    base = serve(
        {
            "/a": (200, packed, gzip.compress(b"<p>x")),
            "/bomb": (200, packed, gzip.compress(b"x" * 100_000_000)),
            "/broken": (200, packed, b"not packed"),
            "/other": (200, {"Content-Encoding": "br"}, b"x"),
        }
    )
    assert fetch.of_url(f"{base}/a").body == b"<p>x"
    with pytest.raises(Unreadable, match="larger than"):
        fetch.of_url(f"{base}/bomb")
    with pytest.raises(Unreadable, match="no page came"):
        fetch.of_url(f"{base}/broken")
    with pytest.raises(Unreadable, match="packed as br"):
        fetch.of_url(f"{base}/other")


def test_three_redirects_are_followed_and_not_four(serve: Serve) -> None:
    answers: Answers = {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(9)}
    base = serve({**answers, "/3": (200, HTML, b"x")})
    assert fetch.of_url(f"{base}/0").redirects == 3
    with pytest.raises(Unreadable, match="more than 3 redirects"):
        fetch.of_url(f"{base}/4")


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://acme.example/", "javascript:1", "http://["]
)
def test_a_redirect_stays_with_http(serve: Serve, location: str) -> None:
    base = serve({"/": (302, {"Location": location}, b"")})
    with pytest.raises(Unreadable, match="no web address"):
        fetch.of_url(f"{base}/")


@pytest.mark.parametrize(
    "location", ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[fd00::1]/"]
)
def test_a_redirect_into_a_private_network_is_refused(serve: Serve, location: str) -> None:
    base = serve({"/": (302, {"Location": location}, b"")})
    with pytest.raises(Refused, match="private network"):
        fetch.of_url(f"{base}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://0.0.0.0/",
    ],
)
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused, match="--allow-private"):
        fetch.of_url(url, seconds=5)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("none", False),
    ],
)
def test_an_address_is_of_the_internet_or_not(address: str, *, public: bool) -> None:
    assert is_public(address) is public


def test_this_machine_is_asked_only_where_the_address_names_it(
    monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    base = serve({"/": (200, HTML, b"x")})
    assert fetch.of_url(f"{base}/".replace("127.0.0.1", "localhost")).body == b"x"
    assert not is_loopback("shop.example")
    port = base.rpartition(":")[2]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", int(port)))])
    with pytest.raises(Refused):
        fetch.of_url(f"http://shop.example:{port}/")
    assert fetch.of_url(f"http://shop.example:{port}/", private=True).body == b"x"


def test_other_answers_are_no_page(serve: Serve) -> None:
    base = serve({"/gone": (404, HTML, b"<p>gone"), "/large": (200, HTML, b"x" * (fetch.PAGE_MAX + 1))})
    with pytest.raises(Unreadable, match="answers 404"):
        fetch.of_url(f"{base}/gone?key=secret")
    with pytest.raises(Unreadable, match="larger than"):
        fetch.of_url(f"{base}/large")
    with pytest.raises(Unreadable, match="cannot be reached"):
        fetch.of_url("http://127.0.0.1:9/")


def test_a_slow_answer_ends(serve: Serve) -> None:
    base = serve({"/": (200, {"Content-Length": "10"}, b"x")})
    with pytest.raises(Unreadable):
        fetch.of_url(f"{base}/", seconds=0.5)


@pytest.mark.parametrize(
    "url",
    ["http://167772161/", "ftp://acme.example/", "file:///etc/passwd", "http://", "https://[", "http://a b/"],
)
def test_what_is_no_web_address_is_said(url: str) -> None:
    with pytest.raises(Unreadable, match=r"must begin with https://|no page came"):
        fetch.of_url(url, seconds=2)


def test_files_that_are_none_are_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.html", Path("/dev/null"), Path("a\0b")):
        with pytest.raises(Unreadable):
            fetch.of_file(path)
    large = tmp_path / "large.html"
    large.write_bytes(b"x" * (fetch.PAGE_MAX + 1))
    with pytest.raises(Unreadable, match="larger than 16 MB"):
        fetch.of_file(large)
