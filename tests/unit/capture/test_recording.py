"""What is kept of calls, within limits and without secrets."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import random
import sys

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.redaction.redactor import Redactor
from relive_capture.bodies import body_bytes, body_of
from relive_capture.explore.scene.recordings import build_recording
from relive_capture.record.playback.answers import rebuild, wire_answer
from relive_capture.record.recording import RecordingLimits
from relive_capture.record.recording.chance import STATE_BYTES, Chance
from relive_capture.record.recording.recorded import CallRecording, describe
from relive_capture.recording_format import Failure, RawCall, RecordedCall, Recording, ReplayNotes

LIMITS = RecordingLimits(calls=3, body_bytes=100, total_bytes=250)


def kept(raw: RawCall) -> RecordedCall:
    return build_recording(Recording(notes=ReplayNotes(), recorded_calls=[raw]), Redactor()).recorded_calls[0]


def response(data: bytes, encoding: str = "") -> RawCall:
    raw = RawCall("parts", "httpcore", "invoke", 0, method="GET", url="http://shop/", response=data)
    raw.status, raw.ended = 200, True
    raw.response_headers = (("content-encoding", encoding),) if encoding else ()
    return raw


# ---------------------------------------------------------------- limits


@given(st.lists(st.tuples(st.binary(max_size=150), st.binary(max_size=150)), max_size=6))
def test_a_tape_keeps_no_more_than_its_limits(calls: list[tuple[bytes, bytes]]) -> None:
    kept_calls = CallRecording(LIMITS)
    for sent, received in calls:
        call = kept_calls.call("wire", "test")
        call.sent(sent)
        call.answer_begins()
        call.received(received)

    recorded_calls = kept_calls.recorded_calls()

    assert len(recorded_calls) == min(len(calls), LIMITS.calls)
    assert kept_calls.left_out == max(len(calls) - LIMITS.calls, 0)
    assert sum(len(raw.request) + len(raw.response) for raw in recorded_calls) <= LIMITS.total_bytes
    for raw, (sent, received) in zip(recorded_calls, calls, strict=False):
        assert len(raw.request) + raw.request_cut == len(sent)
        assert len(raw.response) + raw.response_cut == len(received)
        assert max(len(raw.request), len(raw.response)) <= LIMITS.body_bytes


def test_a_response_that_outlives_its_invocation_is_not_kept() -> None:
    kept_calls = CallRecording(RecordingLimits())
    call = kept_calls.call("wire", "test")
    kept_calls.close()

    call.received(b"late")

    assert kept_calls.recorded_calls()[0].response == b""


def test_a_cut_body_says_so() -> None:
    raw = response(b"x" * 10)
    raw.response_cut = 5

    built = build_recording(Recording(notes=ReplayNotes(), recorded_calls=[raw], left_out=2), Redactor())

    assert built.recorded_calls[0].response_body.cut == 5
    assert not built.recorded_calls[0].response_body.complete
    assert built.state.state == "partial"
    assert "1 bodies were cut" in built.state.reason
    assert "2 calls are over the limit" in built.state.reason


# ---------------------------------------------------------------- secrets


def test_a_secret_is_found_in_a_compressed_body() -> None:
    data = json.dumps({"password": "hunter2hunter2", "price": 3}).encode()

    found = kept(response(gzip.compress(data), "gzip"))

    assert json.loads(body_bytes(found.response_body)) == {"password": "[redacted]", "price": 3}
    assert found.response_headers == []
    assert found.redacted == ["response.body.password"]


def test_a_compressed_body_without_a_secret_stays_as_it_is() -> None:
    data = gzip.compress(b'{"price": 3}')

    found = kept(response(data, "gzip"))

    assert body_bytes(found.response_body) == data
    assert found.response_headers == [("content-encoding", "gzip")]


def test_what_cannot_be_searched_for_secrets_is_left_out() -> None:
    found = kept(response(b"\x0b\x02\x80secret\x03", "br"))

    assert body_bytes(found.response_body) == b""
    assert not found.response_body.complete
    assert "br cannot be searched" in found.redacted[0]


# ---------------------------------------------------------------- there and back


@given(st.binary(max_size=300))
def test_a_body_comes_back_as_it_was(data: bytes) -> None:
    assert body_bytes(body_of(data)) == data


@given(st.binary(max_size=300), st.booleans())
def test_a_recorded_response_is_read_again_by_http_client(data: bytes, complete: bool) -> None:
    recorded_call = RecordedCall(
        kind="http",
        status=200,
        reason="OK",
        response_headers=[("Transfer-Encoding", "chunked"), ("X-Shop", "1")],
        response_body=body_of(data, complete=complete),
    )

    class Wire:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(wire_answer(recorded_call, "GET"))

    reader = http.client.HTTPResponse(Wire(), method="GET")  # type: ignore[arg-type]
    reader.begin()

    assert reader.headers["x-shop"] == "1"
    if complete:
        assert reader.read() == data
    else:
        with pytest.raises(http.client.IncompleteRead):
            reader.read()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError("timed out"),
        http.client.RemoteDisconnected("Remote end closed connection without response"),
    ],
)
def test_an_error_is_raised_again(error: Exception) -> None:
    again = rebuild(describe(error, "connect"))

    assert type(again) is type(error)
    assert again.args == error.args


@pytest.mark.parametrize(
    "name", ["os.system", "subprocess.Popen", "builtins.eval", "builtins.KeyboardInterrupt", "x"]
)
def test_only_exceptions_are_made(name: str) -> None:
    again = rebuild(Failure(name, ["touch /tmp/never"], "connect"))

    assert type(again) is OSError
    assert name in str(again)


# ---------------------------------------------------------------- chance


def test_the_states_are_those_that_the_generators_have() -> None:
    chance = Chance()
    random.random()
    numpy.random.random(3)

    python, gauss, numpys = chance.snapshot()

    position, *words = memoryview(python).cast("I")
    assert (*words, position) == random.getstate()[1]
    assert gauss == random.getstate()[2]
    _, key, place, *_ = numpy.random.get_state()  # type: ignore[misc]
    assert numpys == key.tobytes() + int(place).to_bytes(4, sys.byteorder)
    assert len(python) == len(numpys) == STATE_BYTES


def test_the_user_in_the_name_of_a_host_is_not_kept() -> None:
    # Given a client that hands `user:password@host` to the resolver, which knows no such host
    raw = RawCall("connect", "socket", "invoke", 0, origin="bob:hunter2X@db:5432")
    raw.failure = Failure("socket.gaierror", [-2, "Name or service not known"])
    recording = Recording(notes=ReplayNotes(), recorded_calls=[raw], connections=["bob:hunter2X@db:5432"])

    # When it is written
    found = build_recording(recording, Redactor())

    # I expect the host alone to be left, in the call and in what is said of the others
    assert found.recorded_calls[0].url == "db:5432"
    assert "hunter2X" not in found.state.reason
    assert "db:5432" in found.state.reason


def test_a_body_with_its_coding_in_two_headers_is_looked_into() -> None:
    raw = response(gzip.compress(gzip.compress(b'{"password": "hunter2X"}')))
    raw.response_headers = (("content-encoding", "gzip"), ("content-encoding", "gzip"))

    found = kept(raw)

    assert b"hunter2X" not in body_bytes(found.response_body)
    assert json.loads(body_bytes(found.response_body)) == {"password": "[redacted]"}
