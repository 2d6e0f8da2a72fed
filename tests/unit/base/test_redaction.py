"""Redaction: planted secrets leave, harmless values stay, JSON stays JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.redaction import PLACEHOLDER, Redactor, split_words

# Put together at run time, so that no scanner takes this file for a leak.
_AWS = "AKIA" + "IOSFODNN7EXAMPLE"
_GITHUB = "ghp_" + "a1B2" * 9
_SLACK = "xoxb-" + "123456789012-abcdefABCDEF"
_STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
_PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"

# (text, the part of it that must be gone)
SECRET_TEXTS = [
    ("Authorization: Bearer abcdef123456", "abcdef123456"),
    ("got header bearer ZXhhbXBsZQ==", "ZXhhbXBsZQ"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNz"),
    (f"jwt is {_JWT} here", "eyJzdWIi"),
    (f"key {_PEM} end", "MIIEow"),
    ("-----BEGIN PRIVATE KEY-----\ncut off in the midd", "cut off"),
    (f"using {_AWS} in eu-west-1", _AWS),
    ("gcp AIza" + "SyA1234567890abcdefghijklmnopqrstuv", "SyA12345"),
    (f"clone with {_GITHUB}", _GITHUB),
    ("github_pat_" + "11ABCDEFG0123456789_abcdef", "11ABCDEFG"),
    (f"posting to slack {_SLACK}", _SLACK),
    (f"charge with {_STRIPE}", _STRIPE),
    ("postgres://shop:hunter2@db.internal:5432/orders", "hunter2"),
    ("redis://:s3cr3t@cache:6379/0", "s3cr3t"),
    ("GET https://api.example.org/v1?api_key=abc123&page=2", "abc123"),
    ("https://h/cb?access_token=tok-1&state=x", "tok-1"),
    ("Server=db;Database=shop;User Id=sa;Password=Pa55w0rd!;", "Pa55w0rd"),
    ("password='correct horse battery'", "horse"),
    ('{"password": "hunter2", "user": "ada"}', "hunter2"),
    ('body was {\\"client_secret\\": \\"abc-def\\"}', "abc-def"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalr"),
    ("Cookie: session=abc; theme=dark", "session=abc"),
    ("Set-Cookie: sid=31d4d96e407aad42; Path=/", "31d4d96e"),
    ("x-api-key: 0123456789abcdef", "0123456789abcdef"),
    ("card 4111 1111 1111 1111 was declined", "1111 1111"),
    ("card 5500-0000-0000-0004 was declined", "0000-0004"),
    ("amex 378282246310005", "378282246310005"),
    ("token=abc", "=abc"),
    ("AccountName=x;AccountKey=Zm9vYmFyYmF6cXV4Zm9v==;", "Zm9vYmFy"),
    ("passphrase: opensesame", "opensesame"),
    ("otp=123456 entered", "123456"),
    ("glpat-" + "ABCdef1234567890xyz", "ABCdef1234"),
]
HARMLESS_TEXTS = [
    "2026-11-23 12:00:00 INFO handled order 4711 in 13.2 ms, items=3 total=12.50",
    "token_count=12 max_tokens=4096",
    "the secretary's keyboard has 104 keys",
    "author=Ada Lovelace passenger=12",
    "user forgot the password again",
    "password: None",
    "basic training begins tomorrow",
    "took 1700000000000000000 ns",
    "order 1234567890123456",
    "id 01932c5e-7b1a-7c3d-8e4f-0123456789ab",
    "https://example.org/path?page=2&sort=asc",
    "http://localhost:8080/health",
    "ratio 3.1415926535897932",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "key: value",
    "monkey=banana turkey=12",
    "has_password=True",
    "token_type=access expires=3600",
    "SELECT * FROM tokens WHERE id = 3",
    "public_key=abc",
    "session started",
    "File 'cart.py', line 88, in price",
    "KeyError: 'sku'",
    "phone +49 30 123456",
    "2026-11-23T12:00:00.123456789Z",
    "x" * 1000,
    "",
    "key",
    "pin the tail on the donkey: done",
]
SECRET_NAMES = [
    "password",
    "passwd",
    "db_password",
    "userPassword",
    "PGPASSWORD",
    "token",
    "access_token",
    "accessToken",
    "X-Api-Key",
    "apiKey",
    "APIKEY",
    "api-key",
    "secret",
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "privateKey",
    "authorization",
    "Cookie",
    "set-cookie",
    "credentials",
    "session_id",
    "csrfmiddlewaretoken",
    "card_number",
    "cvv",
    "jwt",
    "refresh_tokens",
    "db_pass",
    "passphrase",
]
HARMLESS_NAMES = [
    "token_count",
    "max_tokens",
    "secretary",
    "author",
    "passenger",
    "keyboard",
    "monkey",
    "key",
    "keys",
    "public_key",
    "has_password",
    "password_length",
    "token_type",
    "compass",
    "bypass",
    "passed",
    "class_name",
    "sessions_count",
    "item",
    "sku",
    "tokenizer",
    "authority",
    "cookie_count",
    "secret_name",
    "first_pass",
    "keyword",
    "turnkey",
]


@pytest.mark.parametrize(("text", "gone"), SECRET_TEXTS)
def test_a_planted_secret_leaves_the_text(text: str, gone: str) -> None:
    clean = Redactor().text(text)

    assert gone not in clean
    assert PLACEHOLDER in clean


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
def test_a_harmless_text_stays_the_same_object(text: str) -> None:
    assert Redactor().text(text) is text


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_goes_under_a_secret_name_is_secret(name: str) -> None:
    assert Redactor().secret_key(name) == "strong"


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_looks_like_one_is_not(name: str) -> None:
    assert Redactor().secret_key(name) == ""


def test_an_application_adds_its_own_names() -> None:
    redactor = Redactor(["iban", "Tax-Number"])

    assert redactor.secret_key("customer_iban") == "strong"
    assert redactor.secret_key("taxNumber") == "strong"
    assert "DE89" not in redactor.text("iban=DE89370400440532013000")
    assert Redactor().secret_key("iban") == ""


def test_what_surrounds_a_secret_stays() -> None:
    clean = Redactor().text("GET /a?api_key=abc123&page=2 by postgres://u:pw123@db/x")

    assert clean == f"GET /a?api_key={PLACEHOLDER}&page=2 by postgres://u:{PLACEHOLDER}@db/x"


def test_json_stays_json_and_the_places_are_listed() -> None:
    event = {
        "user": "ada",
        "password": "x",
        "nested": [{"note": "Bearer abcdefgh1234"}],
        "token": None,
        "pin": "1234",
    }
    redacted: list[str] = []

    clean = json.loads(Redactor().json_bytes(json.dumps(event).encode(), "event", redacted))

    assert clean["user"] == "ada"
    assert clean["password"] == PLACEHOLDER
    assert clean["nested"][0]["note"] == f"Bearer {PLACEHOLDER}"
    assert clean["token"] is None
    assert redacted == ["event.password", "event.nested[0].note", "event.pin"]


def test_json_without_a_secret_keeps_its_very_bytes() -> None:
    data = b'{ "amount": 1.10, "big": 123456789012345678901234567890,\n "x": [1e400] }'

    assert Redactor().json_bytes(data) is data


@pytest.mark.parametrize(
    "data", [b'{"password": "hunter2"', b"\xff\xfe password=hunter2", b"[" * 100_000 + b'"password=hunter2']
)
def test_what_is_not_json_is_treated_as_text(data: bytes) -> None:
    assert b"hunter2" not in Redactor().json_bytes(data)


def test_headers_and_environment_keep_their_order_and_names() -> None:
    redacted: list[str] = []
    redactor = Redactor()

    headers = redactor.headers(
        [("host", "h"), ("authorization", "Bearer abcdefgh"), ("cookie", "a=b")], "headers", redacted
    )
    environment = redactor.environment(
        {"HOME": "/root", "PWD": "/srv", "DB_PASSWORD": "x"}, "environment", redacted
    )

    assert headers == [("host", "h"), ("authorization", PLACEHOLDER), ("cookie", PLACEHOLDER)]
    assert environment == {"HOME": "/root", "PWD": "/srv", "DB_PASSWORD": PLACEHOLDER}
    assert redacted == ["headers.authorization", "headers.cookie", "environment.DB_PASSWORD"]


def test_source_text_loses_literals_only_and_no_line() -> None:
    text = 'password = ask()\nPASSWORD = "hunter2"\nkey = """' + _PEM + '"""\nlast = 1\n'

    clean = Redactor().source(text)

    assert "password = ask()" in clean
    assert "hunter2" not in clean
    assert "MIIEow" not in clean
    assert clean.count("\n") == text.count("\n")


@given(st.text(max_size=400))
def test_any_text_can_be_redacted_and_twice_is_once(text: str) -> None:
    redactor = Redactor()

    once = redactor.text(text)

    assert redactor.text(once) == once


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_json_stays_json(value: object) -> None:
    json.loads(Redactor().json_bytes(json.dumps(value).encode()))


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    redactor = Redactor()
    texts = [
        "password=" * 20_000,
        "a" * 100_000 + "=key",
        "://" * 50_000,
        "eyJ" * 50_000,
        "4 " * 50_000,
        '"key": ' * 20_000,
    ]
    for text in texts:
        begin = time.thread_time()
        redactor.text(text)
        assert time.thread_time() - begin < 3.0, text[:20]


def test_words_are_found_in_every_convention() -> None:
    assert split_words("X-Api-Key") == ["x", "api", "key"]
    assert split_words("userAPIKey2") == ["user", "api", "key", "2"]
    assert split_words("DB_PASSWORD") == ["db", "password"]
