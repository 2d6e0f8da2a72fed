"""Redaction: planted secrets leave, harmless values stay, JSON stays JSON."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.names import _may_name_abroad, may_name, name_places
from relive_base.redaction.paths import hide_path
from relive_base.redaction.redactor import PLACEHOLDER, KeyBlocks, Redactor, split_words
from relive_base.redaction.source import hide_literals
from relive_base.redaction.values import _may_match_hyphen, _may_match_underscore, may_have_form
from secret_corpus import (
    HARMLESS_LINES,
    HARMLESS_NAMES,
    HARMLESS_TEXTS,
    PEM,
    SECRET_LINES,
    SECRET_NAMES,
    SECRET_TEXTS,
    VENDOR_TOKENS,
)


@pytest.mark.parametrize(("text", "gone"), SECRET_TEXTS)
def test_a_planted_secret_leaves_the_text(text: str, gone: str) -> None:
    clean = Redactor().text(text)

    assert gone not in clean
    assert PLACEHOLDER in clean


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
def test_a_harmless_text_stays_the_same_object(text: str) -> None:
    assert Redactor().text(text) is text


@pytest.mark.parametrize("line", SECRET_LINES)
def test_a_secret_literal_leaves_a_program_and_no_line_does(line: str) -> None:
    clean = Redactor().source(line)

    assert "hunter2" not in clean
    assert PLACEHOLDER in clean
    assert clean.count("\n") == line.count("\n")


@pytest.mark.parametrize("line", HARMLESS_LINES)
def test_expressions_and_descriptions_stay_in_a_program(line: str) -> None:
    assert Redactor().source(line) == line


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


def test_a_secret_that_is_a_key_or_stands_beside_its_name_leaves_json() -> None:
    github = "ghp_" + "a1B2" * 9
    event = {
        github: 1,
        "headers": [["x-api-key", "abc-1"], ["accept", "*/*"]],
        "env": [{"name": "DB_PASSWORD", "value": "abc-2"}, {"name": "STAGE", "value": "dev"}],
        "command": ["mysql", "--password", "abc-3", "--host", "db"],
    }
    redacted: list[str] = []

    clean = Redactor().json_bytes(json.dumps(event).encode(), "event", redacted)

    assert json.loads(clean) == {
        PLACEHOLDER: 1,
        "headers": [["x-api-key", PLACEHOLDER], ["accept", "*/*"]],
        "env": [{"name": "DB_PASSWORD", "value": PLACEHOLDER}, {"name": "STAGE", "value": "dev"}],
        "command": ["mysql", "--password", PLACEHOLDER, "--host", "db"],
    }
    assert github not in str(redacted)


def test_a_secret_behind_a_name_that_is_there_twice_leaves_too() -> None:
    data = b'{"password": "hunter2", "password": null, "note": "token=abc123", "note": ""}'

    clean = Redactor().json_bytes(data)

    assert b"hunter2" not in clean
    assert b"abc123" not in clean


def test_each_line_of_a_printed_key_leaves_and_what_follows_stays() -> None:
    blocks, redactor = KeyBlocks(), Redactor()

    lines = [blocks.line("out", line, redactor) for line in ["before", *PEM.split("\n"), "after"]]
    other = blocks.line("err", "MIIEow", redactor)

    assert lines == ["before", *[PLACEHOLDER] * 4, "after"]
    assert other == "MIIEow"


def test_a_key_that_is_cut_off_does_not_hide_the_lines_for_ever() -> None:
    blocks, redactor = KeyBlocks(), Redactor()

    lines = [blocks.line("out", line, redactor) for line in [PEM.split("\n")[0], *["x"] * 400]]

    assert lines.count("x") == 100


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
        [("host", "h"), ("authorization", "Bearer abcdefgh"), ("cookie", "a=b7x; lang=de")],
        "headers",
        redacted,
    )
    environment = redactor.environment(
        {"HOME": "/root", "PWD": "/srv", "DB_PASSWORD": "x"}, "environment", redacted
    )

    assert headers == [("host", "h"), ("authorization", PLACEHOLDER), ("cookie", f"a={PLACEHOLDER}; lang=de")]
    assert environment == {"HOME": "/root", "PWD": "/srv", "DB_PASSWORD": PLACEHOLDER}
    assert redacted == ["headers.authorization", "headers.cookie", "environment.DB_PASSWORD"]


def test_source_text_loses_literals_only_and_no_line() -> None:
    text = 'password = ask()\nPASSWORD = "hunter2"\nkey = """' + PEM + '"""\nlast = 1\n'

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
        "key=" * 50_000,
        'key="' * 30_000,
        "<password>" * 20_000,
        'name="password" ' * 20_000,
        "--token " * 20_000,
        "%25" * 50_000,
        "\\u0070" * 30_000,
        "[('password'," * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "http://a:" * 20_000,
        "ｐ" * 100_000 + "=",
        "'" + 'password"' * 20_000 + "\\",  # a string that never ends
    ]
    for text in texts:
        begin = time.thread_time()
        redactor.text(text)
        redactor.source(text)
        assert time.thread_time() - begin < 3.0, text[:20]


def test_words_are_found_in_every_convention() -> None:
    assert split_words("X-Api-Key") == ["x", "api", "key"]
    assert split_words("userAPIKey2") == ["user", "api", "key", "2"]
    assert split_words("DB_PASSWORD") == ["db", "password"]


_PROGRAM = st.lists(
    st.sampled_from(
        ["password", "token", "api_key", "x", " = ", "=", ": ", ", ", "(", ")", "[", "]", "{", "}", "get(",
         " or ", "'", '"', "'''", '"""', "\\", "\n", "#", "f", "rb", "hunter2", "--password",
         "os.environ.get(", "y" * 310, "shoe_size", "İ"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(_PROGRAM)
def test_program_text_far_from_every_secret_name_is_passed_over_without_a_difference(text: str) -> None:
    redactor = Redactor(["shoe_size"])
    lower = text.lower()

    assert bool(name_places(lower)) == may_name(lower)

    # I expect the same as where nothing is passed over
    everywhere = hide_literals(text, redactor.secret_key, redactor._inside, range(len(text) + 1))
    may_hold = may_name(lower) or "shoe" in lower
    assert redactor.source(text) == (everywhere if may_hold else text)


@pytest.mark.parametrize("token", VENDOR_TOKENS)
@pytest.mark.parametrize("around", ["{}", "got {}, thanks", 'x = "{}"', "https://h/?a={}&b=1", "[{}]"])
def test_a_vendors_key_leaves_wherever_it_stands(token: str, around: str) -> None:
    redactor = Redactor()

    clean = redactor.text(around.format(token))

    assert token not in clean
    assert token[len(token) // 2 :] not in clean
    assert PLACEHOLDER in clean


def test_cookies_keep_their_names_their_attributes_and_what_is_no_secret() -> None:
    redactor = Redactor()

    [(_, sent), (_, given)] = redactor.headers(
        [
            ("Cookie", "session=31d4d96e407aad42; theme=dark; cart=8f3ab2"),
            ("Set-Cookie", "lang=de; Path=/, sid=abc123def; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        ],
        "headers",
        [],
    )

    assert sent == f"session={PLACEHOLDER}; theme=dark; cart={PLACEHOLDER}"
    assert given == f"lang=de; Path=/, sid={PLACEHOLDER}; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT"
    assert redactor.text("Cookie: session=abc; theme=dark") == f"Cookie: session={PLACEHOLDER}; theme=dark"
    assert redactor.headers([("cookie", "4f5e6d7c")], "h", []) == [("cookie", PLACEHOLDER)]


def test_cookies_of_an_event_are_looked_into_one_by_one() -> None:
    event = {"cookies": ["sid=abc123def", "lang=de"], "cookies_accepted": "yes"}

    clean = json.loads(Redactor().json_bytes(json.dumps(event).encode()))

    assert clean == {"cookies": [f"sid={PLACEHOLDER}", "lang=de"], "cookies_accepted": "yes"}


def test_a_number_is_a_card_only_where_nothing_says_otherwise() -> None:
    event = {
        "ean": 4006381330060,
        "lines": [{"gtin": "4006381330060", "sku": "4111111111111111"}],
        "deadline_ns": 4111111111111111,
        "bare": 4006381330060,  # a bar code by its check digit
        "card": {"holder": 4111111111111111},
        "number": "4111 1111 1111 1111",
        "pan": 4111111111111111,
    }

    clean = json.loads(Redactor().json_bytes(json.dumps(event).encode()))

    assert clean == {**event, "card": {"holder": PLACEHOLDER}, "number": PLACEHOLDER, "pan": PLACEHOLDER}


def test_tokens_in_a_list_are_secrets_and_their_number_is_none() -> None:
    event = {"tokens": ["aaa-1", "bbb-2"], "usage": {"tokens": 12}, "inner": {"tokens": "abc-1"}}

    clean = json.loads(Redactor().json_bytes(json.dumps(event).encode()))

    assert clean == {"tokens": PLACEHOLDER, "usage": {"tokens": 12}, "inner": {"tokens": PLACEHOLDER}}


def test_what_was_a_secret_once_is_one_everywhere_else() -> None:
    memory = SecretMemory()
    first = Redactor().remembering(memory)

    # Given what stands under a telling name, in a header, in a text and by its form
    first.json_bytes(b'{"password": "tr0ub4dor", "mode": "test"}')
    first.headers([("Authorization", "Bearer abcdef-123456"), ("Cookie", "sid=f00dfeed77; lang=de")], "h", [])
    first.text("login with token=xyz-987-abc and postgres://ada:s3cr3t-pw@db/x")

    # I expect each of them to be hidden where nothing gives it away, and nothing else
    second = Redactor().remembering(memory)
    assert second.text("tr0ub4dor or abcdef-123456") == f"{PLACEHOLDER} or {PLACEHOLDER}"
    assert second.text("f00dfeed77, xyz-987-abc, s3cr3t-pw") == f"{PLACEHOLDER}, {PLACEHOLDER}, {PLACEHOLDER}"
    assert second.text("test in de: tr0ub4dors") == "test in de: tr0ub4dors"
    assert Redactor().text("tr0ub4dor") == "tr0ub4dor"


def test_what_is_known_goes_from_source_too_and_no_line_does() -> None:
    known = Redactor().remembering(SecretMemory(["tr0ub4dor"]))

    clean = known.source('user, secret = "bob", "tr0ub4dor"\nsetattr(o, "x", "tr0ub4dor")\n')

    assert "tr0ub4dor" not in clean
    assert clean.count("\n") == 2


def test_user_and_password_in_a_pair_are_hidden_as_one() -> None:
    event = {"auth": ["bob", "hunter2"], "session": ["a", 1], "other": ["bob", "x"]}

    clean = json.loads(Redactor().json_bytes(json.dumps(event).encode()))

    assert clean == {"auth": PLACEHOLDER, "session": ["a", 1], "other": ["bob", "x"]}


def test_a_memory_of_secrets_is_bounded_and_keeps_no_plain_words() -> None:
    memory = SecretMemory()
    for secret in (
        "production",
        "abc",
        "[redacted]",
        "x" * 5000,
        *(f"secret-{number}" for number in range(300)),
    ):
        memory.add(secret)

    assert len(memory) == 200
    assert memory.dropped == 100
    assert memory.values[0] == "secret-0"


def test_no_hint_has_a_digit_in_it_so_that_lines_with_other_numbers_are_judged_alike() -> None:
    for judge in (may_name, _may_name_abroad, may_have_form, _may_match_hyphen, _may_match_underscore):
        hints = [const for const in judge.__code__.co_consts[1:] if isinstance(const, str)]
        assert hints
        assert not [hint for hint in hints if any(map(str.isdigit, hint))]


_PIECES = (
    "pass",
    "pa",
    "ss",
    "pin",
    "key",
    "=",
    ": ",
    "12",
    "7",
    "hunter2xyz",
    " ",
    "order ",
    "sk_live_",
    "4",
    "K",
)


@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join), max_size=12))
def test_what_a_line_becomes_does_not_depend_on_those_before_it(lines: list[str]) -> None:
    redactor = Redactor()

    assert [redactor.text(line) for line in lines] == [Redactor().text(line) for line in lines]


def test_many_harmless_lines_leave_nothing_but_a_bounded_set_of_numbers() -> None:
    redactor = Redactor()
    for number in range(5_000):
        redactor.text(f"order {'x' * (number % 400)} of {chr(97 + number % 26)} handled {number}")

    assert len(redactor._plain) <= 2_048
    assert all(type(shape) is int for shape in redactor._plain)


def test_no_redaction_is_done_over_another() -> None:
    text = "cannot use the secret DSN https://abc:hunter2X@sentry.io/1"

    assert Redactor().text(text) == f"cannot use the secret DSN https://abc:{PLACEHOLDER}@sentry.io/1"
    assert Redactor().text("password=https://abc:hunter2X@sentry.io/1 x") == f"password={PLACEHOLDER} x"


def test_no_authentication_is_no_secret_and_a_glued_password_is_one() -> None:
    event = {"auth": "none", "run": ["/usr/bin/mysql", "-u", "bob", "-phunter2X"]}
    memory, places = SecretMemory(), []  # type: ignore[var-annotated]

    clean = Redactor().remembering(memory).value(event, "event", places)

    assert clean == {"auth": "none", "run": ["/usr/bin/mysql", "-u", "bob", f"-p{PLACEHOLDER}"]}
    assert (memory.values, places) == (["hunter2X"], ["event.run[3]"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "value"),
        ("Key", "Value"),
        ("k", "v"),
        ("ParameterKey", "ParameterValue"),
        ("header", "value"),
    ],
)
def test_an_entry_of_a_list_may_call_its_name_and_its_value_as_it_likes(name: str, value: str) -> None:
    redacted: list[str] = []

    clean = Redactor().value([{name: "DB_PASSWORD", value: "hunter2X"}], "event", redacted)

    assert clean == [{name: "DB_PASSWORD", value: PLACEHOLDER}]
    assert redacted == [f"event[0].{value}"]


def test_each_of_two_tokens_is_hidden_elsewhere_too() -> None:
    # Given a list of two tokens, which is no user with a password
    memory = SecretMemory()
    redactor = Redactor().remembering(memory)
    redactor.value({"tokens": ["first-hunter2X", "second-hunter2X"]}, "event", [])

    # When one of them is in a message
    clean = Redactor().remembering(memory).text("no user of first-hunter2X or second-hunter2X")

    assert clean == f"no user of {PLACEHOLDER} or {PLACEHOLDER}"


@pytest.mark.parametrize(
    ("route", "path", "shown"),
    [
        ("/reset/{token}", "/reset/abc", "/reset/[redacted]"),
        ("/u/{id}/key/{api_key}/x", "/u/7/key/abc/x", "/u/7/key/[redacted]/x"),
        ("/f/{secret+}", "/f/a/b/c", "/f/[redacted]"),
        ("/u/{id}", "/u/7", "/u/7"),
        ("/reset/{token}", "/other/abc", "/other/abc"),
        ("", "/reset/abc", "/reset/abc"),
    ],
)
def test_a_secret_that_the_route_names_leaves_the_path(route: str, path: str, shown: str) -> None:
    assert hide_path(path, route, Redactor().secret_key) == shown


def test_a_base64_text_is_looked_into() -> None:
    # Given a body as API gateways hand it on, with and without a secret
    secret = base64.b64encode(b'{"user": "bob", "password": "hunter2X"}').decode()
    harmless = base64.b64encode(b'{"user": "bob", "colour": "blue, or green"}').decode()

    clean = Redactor().text(secret)

    assert json.loads(base64.b64decode(clean)) == {"user": "bob", "password": PLACEHOLDER}
    assert Redactor().text(harmless) is harmless


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ({"token_map": {"bob": "q7Zk-41xvLw"}}, ["q7Zk-41xvLw"]),
        ({"credentials": {"value": "q7Zk-41xvLw", "host": "db-1.example.org"}}, ["q7Zk-41xvLw"]),
        ({"credentials": {"password": "q7Zk-41xvLw", "user": "robert-smith1"}}, ["q7Zk-41xvLw"]),
        ({"token_map": {"bob": 12}}, []),
    ],
)
def test_texts_of_a_dict_under_a_secret_name_are_secrets_elsewhere(value: object, secrets: list[str]) -> None:
    # Given a dict under a secret name
    memory = SecretMemory()
    # When it is hidden
    Redactor().remembering(memory).value(value, "event", [])
    # I expect its texts to be known, and not the host and the user beside one that says what it is
    assert memory.values == secrets


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("PWD", "/srv/app", False),
        ("PWD", "/", False),
        ("OLDPWD", "/home/Me/My App", False),
        ("PWD", "hunter2-x", True),
        ("PWD", "/xK9aBz2L0qq", True),
        ("DB_PWD", "/etc/db/x", True),
        ("PASSWD", "/etc/passwd", True),
        ("DB_PASSWORD_FILE", "/run/secrets/db", False),
        ("DB_PASSWORD_FILE", "hunter2-x", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json", False),
    ],
)
def test_a_path_is_no_secret_under_a_name_that_says_so(name: str, value: str, hidden: bool) -> None:
    # Given a redactor that remembers what it finds
    memory = SecretMemory()
    redactor = Redactor().remembering(memory)

    # When such a name has a value: in data, in a pair, beside "name" and "value", in text
    data = redactor.value({name: value}, "event", [])
    pair = redactor.value([name, value], "event", [])
    entry = redactor.value({"name": name, "value": value}, "event", [])
    text = redactor.text(f"UID=sa;{name}={value};")

    # I expect it hidden everywhere, and remembered, or nowhere
    shown = PLACEHOLDER if hidden else value
    assert (data, pair, entry) == ({name: shown}, [name, shown], {"name": name, "value": shown})
    assert text == f"UID=sa;{name}={shown};"
    assert (value in memory.values) is hidden
    assert redactor.is_secret(name, value) is hidden
