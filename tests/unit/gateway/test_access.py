"""Who may invoke."""

from __future__ import annotations

import pytest
from relive_platform.triggers.http.access import Access, UnexpectedHost
from relive_platform.triggers.http.config import CorsConfig
from relive_platform.triggers.http.connections.head import BadHead, Head, HeadTexts, check_authority
from relive_platform.triggers.http.cors import Cors, with_lines
from relive_platform.triggers.http.origins import parse_origin, parse_origin_pattern
from relive_platform.triggers.http.proxies import Proxies

TOKEN = "a-long-and-random-token"


def head(**headers: str) -> Head:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    raw = [(name.encode(), value.encode()) for name, value in pairs]
    found, special = HeadTexts().headers(raw)
    return Head("GET", "/", "", found, special, "http", "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8700",
        "shop.localhost:1",
        "127.0.0.1",
        "127.8.9.1:80",
        "[::1]:8700",
        "localhost.",
    ],
)
def test_on_loopback_a_host_is_one_of_this_machine(host: str) -> None:
    Access().check_host(host.encode())


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:8700",
        "127.0.0.1.nip.io",
        "10.0.0.1",
        "0.0.0.0",
        "2130706433",
        "[::2]",
        "::1",
        "",
        "evil@localhost",
        "localhost/x",
        "localhost:8700:1",
        "localhost:x",
        "\u017flocalhost",
    ],
)
def test_any_other_host_is_a_name_that_was_made_to_point_here(host: str) -> None:
    access = Access()
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(UnexpectedHost):
            access.check_host(host.encode("utf-8"))


def test_a_setting_adds_hosts_and_one_lets_all_in() -> None:
    some = Access(hosts=("shop.example", "*.inner.example"))
    for good in (b"shop.example", b"Shop.Example:443", b"a.inner.example", b"localhost"):
        some.check_host(good)
    for bad in (b"x.shop.example", b"inner.example", b"xinner.example"):
        with pytest.raises(UnexpectedHost):
            some.check_host(bad)
    Access(hosts=("*",)).check_host(b"evil.example")
    Access(loopback=False).check_host(b"evil.example")


def test_hosts_without_end_are_not_remembered_without_end() -> None:
    access = Access()
    for number in range(3_000):
        with pytest.raises(UnexpectedHost):
            access.check_host(b"h%d.example" % number)
    assert len(access._hosts) <= 1_024


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN} "}, True),
        ({"authorization": f"Bearer {TOKEN}x"}, False),
        ({"authorization": TOKEN}, False),
        ({"authorization": "Basic " + TOKEN}, False),
        ({"authorization": "Bearer "}, False),
        ({"x_relive_token": TOKEN}, True),
        ({"x_relive_token": TOKEN[:-1]}, False),
        ({"x_relive_token": ""}, False),
    ],
)
def test_off_loopback_it_takes_the_token(headers: dict[str, str], known: bool) -> None:
    request = head(**headers)

    assert Access(loopback=False, token=TOKEN).authorise(request) is known
    assert Access(loopback=False, token="").authorise(request) is False
    assert Access(token=TOKEN).authorise(head(**headers)) is True


def test_the_function_never_sees_the_token_but_its_own_authorization() -> None:
    access = Access(loopback=False, token=TOKEN)
    ours = head(authorization=f"Bearer {TOKEN}", x_a="1")
    theirs = head(authorization="Bearer theirs", x_relive_token=TOKEN)

    assert access.authorise(ours)
    assert access.authorise(theirs)

    assert ours.pairs == [("x-a", "1")]
    assert theirs.pairs == [("authorization", "Bearer theirs")]


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://localhost:8700"}, False),
        ({"origin": "https://localhost:8700"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://127.0.0.1:8700"}, True),
        ({"origin": "http://localhost"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "https://evil.example"}, True),
        ({"referer": "http://localhost:8700/a/b?c"}, False),
        ({"referer": "https://evil.example/"}, True),
        ({"referer": "https://evil.example"}, True),
        ({"referer": "https://localhost:8700@evil.example/"}, True),
        ({"referer": "https://evil.example/", "sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "whatever-comes"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "http://localhost:8700"}, True),
    ],
)
def test_a_page_of_another_origin_gives_itself_away(headers: dict[str, str], foreign: bool) -> None:
    access = Access()
    request = head(host="localhost:8700", **headers)

    assert [access.foreign(request.special) for _ in range(2)] == [foreign, foreign]


def test_behind_a_proxy_that_ends_tls_a_page_is_still_its_own() -> None:
    assert not Access().foreign(head(host="shop.example", origin="https://shop.example").special)


@pytest.mark.parametrize("name", ["host", "authorization", "x_relive_token", "origin", "sec_fetch_site"])
def test_a_header_that_decides_comes_once(name: str) -> None:
    raw = name.replace("_", "-").encode()
    with pytest.raises(BadHead):
        HeadTexts().headers([(raw, b"a"), (raw.title(), b"a")])


def test_a_target_with_a_host_has_to_agree_with_the_host_header() -> None:
    check_authority(b"http://localhost:1/x?y", b"LOCALHOST:1")
    for url in (b"http://evil/x", b"http://a@localhost:1/x", b"*", b"localhost:1", b"http:///x"):
        with pytest.raises(BadHead):
            check_authority(url, b"localhost:1")


# ------------------------------------------------------------ CORS


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("https://shop.example", "https://shop.example:443", True),
        ("https://shop.example", "http://shop.example", False),
        ("https://shop.example", "https://shop.example:444", False),
        ("https://*.shop.example", "https://a.b.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://evilshop.example", False),
        ("http://localhost:*", "http://localhost:3000", True),
        ("http://localhost:*", "http://localhost.evil.example:3000", False),
        ("*", "https://any.example", True),
    ],
)
def test_patterns_of_origins(pattern: str, origin: str, fits: bool) -> None:
    found, parsed = parse_origin_pattern(pattern), parse_origin(origin)
    assert found is not None
    assert parsed is not None
    assert found.fits(parsed) is fits


@pytest.mark.parametrize(
    "text", ["", "null", "shop.example", "https://a.*.example", "https://x/", "https://x:99999"]
)
def test_what_is_no_pattern(text: str) -> None:
    assert parse_origin_pattern(text) is None


def test_a_preflight_says_what_the_function_allows() -> None:
    cors = Cors(
        CorsConfig(origins=("https://shop.example",), methods=("POST",), credentials=True, max_age_s=5)
    )
    asked = {"origin": b"https://shop.example", "access-control-request-headers": b"x-a, content-type"}

    answer = cors.preflight(asked)
    refused = cors.preflight(asked | {"origin": b"https://evil.example"})
    split = cors.preflight(asked | {"access-control-request-headers": b"x\r\nset-cookie: a"})

    assert answer.status == 204
    assert dict(answer.headers()) == {
        b"access-control-allow-origin": b"https://shop.example",
        b"vary": b"Origin",
        b"access-control-allow-credentials": b"true",
        b"access-control-allow-methods": b"POST",
        b"access-control-allow-headers": b"x-a, content-type",
        b"access-control-max-age": b"5",
    }
    assert refused.status == 403
    assert b"access-control-allow-headers" not in split.head


def test_the_functions_own_cors_headers_give_way_to_its_table() -> None:
    head = b"x-a: 1\r\naccess-control-allow-origin: *\r\ncontent-length: 1\r\n"

    assert with_lines(head, b"vary: Origin\r\n") == b"x-a: 1\r\ncontent-length: 1\r\nvary: Origin\r\n"


# ------------------------------------------------------------ proxies


def test_only_a_trusted_proxy_says_who_the_client_is() -> None:
    proxies = Proxies(("127.0.0.1", "10.0.0.0/8"))
    request = head(x_forwarded_proto="https", x_forwarded_for="6.6.6.6, 1.2.3.4, 10.1.1.1")
    proxies.look(request)
    assert (request.scheme, request.client) == ("https", "1.2.3.4")

    claimed = head(x_forwarded_proto="https", x_forwarded_for="1.2.3.4", x_forwarded_host="evil", x_a="1")
    claimed.client = "8.8.8.8"
    proxies.look(claimed)
    assert (claimed.scheme, claimed.client, claimed.pairs) == ("http", "8.8.8.8", [("x-a", "1")])


def test_what_is_no_address_is_not_believed() -> None:
    request = head(x_forwarded_proto="javascript", x_forwarded_for="nobody")
    Proxies(("127.0.0.1",)).look(request)
    assert (request.scheme, request.client) == ("http", "127.0.0.1")
