"""Typed values as JSON and back, without secrets, and as they are read and played."""

from __future__ import annotations

import asyncio
import json
import math
from collections import namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_base.parts import Why
from relive_base.redaction.redactor import Redactor
from relive_capture.bodies import body_bytes
from relive_capture.explore.scene.recordings import build_recording
from relive_capture.explore.text import call_lines
from relive_capture.record.playback.answers import NotRecorded
from relive_capture.record.playback.player import Player
from relive_capture.record.recording import RecordingLimits
from relive_capture.record.recording.counting import count_calls
from relive_capture.record.recording.recorded import CallRecording
from relive_capture.recording_format import RecordedCall, Recording, ReplayInput, ReplayNotes
from relive_capture.typed_bodies import clean_statement, parameter_names
from relive_capture.typed_values import Kind, UnknownValueError, ValueCodec
from relive_views.scenes.calls import calls_of

CODEC = ValueCodec()
TARGET = "postgresql://127.0.0.1:5432/shop"
SELECT = "SELECT id, password FROM users WHERE id = %s"

ZONES = [UTC, timezone(timedelta(hours=-3, minutes=-30)), ZoneInfo("Europe/Berlin")]
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(),
    st.decimals(allow_nan=False), st.datetimes(), st.dates(), st.times(), st.timedeltas(), st.uuids(),
    st.ip_addresses(), st.complex_numbers(allow_nan=False),
    st.datetimes(timezones=st.sampled_from(ZONES)),
)  # fmt: skip
HASHABLE = st.one_of(st.none(), st.integers(), st.text(), st.binary())
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
    ),
    max_leaves=12,
)


class Colour(Enum):
    RED = "red"


class Point:
    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y


Named = namedtuple("Named", "a b")


# ---------------------------------------------------------------- the codec


@settings(max_examples=50)
@given(VALUES)
def test_a_value_comes_back_with_its_type(value: object) -> None:
    line = CODEC.encode(value)

    found = CODEC.decode(line)

    assert b"\n" not in line
    assert found == value
    assert repr(found) == repr(value) or isinstance(value, set | frozenset | dict | list | tuple)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        time(1, 2, 3, 4, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET")),
        date(1, 1, 1),
        Decimal("1.10"),
        Decimal("-NaN"),
        -(2**70),
        UUID(int=7),
        ip_address("::1"),
        ip_network("10.0.0.0/8"),
        "half \ud800 of a pair",
        {"$tuple": [1]},
        bytearray(b"\x00\xff"),
        Colour.RED,
        (),
        True,
        1.0,
    ],
)  # fmt: skip
def test_what_looks_alike_is_told_apart(value: object) -> None:
    found = CODEC.decode(CODEC.encode(value))

    assert (type(found), repr(found)) == (type(value), repr(value))


def test_nan_and_infinity_are_numbers_too() -> None:
    found: Any = CODEC.decode(CODEC.encode([math.nan, math.inf, -math.inf]))

    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [object(), Named(1, 2), [Point(1, 2)], type("Text", (str,), {})("a")])
def test_what_is_of_no_known_type_is_named_and_not_made(value: object) -> None:
    line = CODEC.encode(value)

    assert b'"$unknown"' in line
    with pytest.raises(UnknownValueError):
        CODEC.decode(line)


def test_a_value_that_holds_itself_has_an_end() -> None:
    value: list[object] = []
    value.append(value)

    assert b"nested too deep" in CODEC.encode(value)


def test_a_library_adds_types_of_its_own() -> None:
    kind = Kind(
        "point", f"{__name__}.Point", lambda point: [point.x, point.y], lambda cls, parts: cls(*parts)
    )
    codec = ValueCodec(kind)

    found: Any = codec.decode(codec.encode((Point(1, 2.5),)))

    assert (found[0].x, found[0].y) == (1, 2.5)


@pytest.mark.parametrize(
    "line", [b"", b"{", b'{"$decimal": [1]}', b'{"$nothing": 1}', b'{"$datetime": {}}', b'{"$set": [[1]]}',
             b'{"$enum": ["os.system", "x"]}', b"[" * 100_000]
)  # fmt: skip
def test_hostile_lines_are_refused_in_one_way(line: bytes) -> None:
    with pytest.raises(ValueError):
        CODEC.decode(line)


# ---------------------------------------------------------------- recorded, redacted, shown, counted


def recorded(
    answers: list[object], request: object = None, limits: RecordingLimits | None = None
) -> CallRecording:
    kept_calls = CallRecording(limits or RecordingLimits())
    call = kept_calls.call("values", "psycopg", TARGET, "execute")
    call.raw.statement = SELECT
    call.asks(CODEC.encode(request if request is not None else {"parameters": (7,)}))
    for answer in answers:
        call.answers(CODEC.encode(answer))
    call.raw.took_ns = 1_500_000
    return kept_calls


def checked(kept_calls: CallRecording) -> tuple[RecordedCall, list[str]]:
    found = build_recording(
        Recording(notes=ReplayNotes(), recorded_calls=kept_calls.recorded_calls()), Redactor()
    )
    return found.recorded_calls[0], [reason.code for reason in found.state.reasons]


HEAD = {"columns": ["id", "password"]}
ROWS = {"rows": [(7, "hunter2-and-more"), (8, None)]}


def test_a_column_with_a_secret_name_is_redacted_cell_by_cell() -> None:
    call, reasons = checked(recorded([HEAD, ROWS]))

    lines = [json.loads(line) for line in call.response_body.text.split("\n")]
    assert lines[1] == {"rows": [{"$tuple": [7, "[redacted]"]}, {"$tuple": [8, None]}]}
    assert call.redacted == ["response.body.rows.password"]
    assert Why.REDACTED in reasons


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("INSERT INTO users (name, password) VALUES (%s, %s)", ["name", "password"]),
        ("insert into t(a, b, c) values (now(), $1, $2)", ["b", "c"]),
        ("UPDATE users SET api_key = ? WHERE id = ?", ["api_key", "id"]),
        ("SELECT 1 FROM users u WHERE u.token=$2 AND id=$1", ["id", "token"]),
        ("SELECT %s", [""]),
        ("SELECT 1", []),
    ],
)
def test_parameters_have_the_names_that_the_statement_has_for_them(statement: str, names: list[str]) -> None:
    assert parameter_names(statement) == names


@pytest.mark.parametrize(
    ("statement", "clean"),
    [
        (
            "INSERT INTO users (name, password) VALUES ('ann', 'hunter2, (''or'') more'), ('bob', E'\\'x')",
            "INSERT INTO users (name, password) VALUES ('ann', '[redacted]'), ('bob', '[redacted]')",
        ),
        ("INSERT INTO users (name, city) VALUES ('ann', 'Bonn')",) * 2,
        ("INSERT INTO users (password) VALUES (%s)",) * 2,
        (
            "UPDATE users SET password = 'hunter2-and-more' WHERE id = 1",
            "UPDATE users SET password = '[redacted]' WHERE id = 1",
        ),
    ],
)
def test_literals_for_secret_columns_are_redacted(statement: str, clean: str) -> None:
    assert clean_statement(statement, Redactor()) == clean


def test_a_parameter_for_a_secret_column_is_redacted() -> None:
    kept_calls = recorded([], {"parameters": ["ann", "hunter2-and-more"]})
    kept_calls.calls[0].raw.statement = "INSERT INTO users (name, password) VALUES (%s, %s)"

    call, _ = checked(kept_calls)

    assert json.loads(call.request_body.text) == {"parameters": ["ann", "[redacted]"]}


def test_a_value_is_kept_whole_or_not_at_all() -> None:
    many = {"rows": [["x" * 40]] * 3}
    call, reasons = checked(recorded([HEAD, many, ROWS], limits=RecordingLimits(10, 100, 1000)))

    assert call.response_body.text.count("\n") == 0
    assert call.response_body.cut > 100
    assert Why.BODIES_CUT in reasons


def test_types_that_cannot_be_made_again_are_named() -> None:
    call, reasons = checked(recorded([HEAD, {"rows": [[object()]]}]))

    assert call.unknown == ["builtins.object"]
    assert Why.VALUES_UNKNOWN in reasons


def test_lines_that_cannot_be_searched_are_left_out() -> None:
    kept_calls = recorded([HEAD])
    kept_calls.calls[0].answers(b"password=hunter2, no JSON")

    call, _ = checked(kept_calls)

    assert "hunter2" not in call.response_body.text
    assert call.response_body.cut


def test_it_is_shown_with_statement_parameters_and_rows() -> None:
    call, _ = checked(recorded([HEAD, ROWS]))

    lines = [line.text for line in call_lines([call], 120, 5)]
    view = next(calls_of([call]))

    assert lines[-1] == f"     1.5 ms  2 rows   {SELECT}  [7]  at {TARGET}"
    assert (view.what, view.answer) == (f"{SELECT}  [7]  at {TARGET}", "2 rows")


def test_calls_are_counted_by_the_host_of_the_database() -> None:
    kept_calls = recorded([HEAD])
    kept_calls.call("values", "sqlite3", "sqlite:///tmp/data/shop.db", "execute")

    assert [count.target for count in count_calls(kept_calls.calls, 0)] == [
        "postgresql://127.0.0.1:5432",
        "sqlite shop.db",
    ]


# ---------------------------------------------------------------- played


def player(*calls: RecordedCall) -> Player:
    return Player(ReplayInput(recorded_calls=list(calls)))


def test_a_call_is_answered_with_the_same_values_in_order() -> None:
    head = {"columns": ["id", "price"]}
    call, _ = checked(recorded([head, {"rows": [(7, Decimal("1.5"))]}]))
    played = player(call)

    answer = played.values(
        CODEC, "execute", TARGET, SELECT.replace(" FROM", "\n  FROM"), {"parameters": (7,)}
    )

    assert [answer.next(), answer.next()] == [head, {"rows": [(7, Decimal("1.5"))]}]
    assert not answer.more
    assert (played.report().answered, played.report().differing, played.report().unused) == (1, [], [])


def test_other_parameters_are_answered_and_named() -> None:
    played = player(checked(recorded([HEAD]))[0])

    played.values(CODEC, "execute", TARGET, SELECT, {"parameters": (8,)})

    assert played.report().differing == [f"execute {SELECT}"]


@pytest.mark.parametrize(("method", "target", "statement"), [
    ("execute", TARGET, "SELECT 2"), ("callproc", TARGET, SELECT), ("execute", "postgresql://other", SELECT),
])  # fmt: skip
def test_another_statement_target_or_method_is_not_answered(method: str, target: str, statement: str) -> None:
    played = player(checked(recorded([HEAD]))[0])

    with pytest.raises(NotRecorded):
        played.values(CODEC, method, target, statement, {"parameters": (7,)})
    assert played.report().missing == [f"{method} {statement}"]
    assert played.report().unused == [f"execute {SELECT}"]


def test_what_is_not_there_or_cannot_be_made_says_so() -> None:
    unknown = player(checked(recorded([HEAD, {"rows": [[object()]]}]))[0])
    answer = unknown.values(CODEC, "execute", TARGET, SELECT, {"parameters": (7,)})
    answer.next()

    with pytest.raises(NotRecorded, match=r"has a builtins\.object"):
        answer.next()
    with pytest.raises(NotRecorded, match="not in the scene's recording"):
        answer.next()


def test_a_call_that_was_given_up_is_waited_for() -> None:
    kept_calls = recorded([])
    kept_calls.calls[0].failed(asyncio.CancelledError(), "response")
    answer = player(checked(kept_calls)[0]).values(CODEC, "execute", TARGET, SELECT, {"parameters": (7,)})

    assert answer.abandoned

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.wait_if_abandoned_async(), 0.01)

    asyncio.run(given_up())


def test_bodies_are_text_that_people_can_read() -> None:
    call, _ = checked(recorded([{"columns": ["at"], "rows": [[datetime(2026, 1, 2, tzinfo=UTC)]]}]))

    assert body_bytes(call.response_body) == (
        b'{"columns":["at"],"rows":[[{"$datetime":{"at":"2026-01-02T00:00:00","zone":0.0}}]]}'
    )
