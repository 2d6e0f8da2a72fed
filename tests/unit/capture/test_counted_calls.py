from __future__ import annotations

from relive_capture.record.recording import Recorder
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.recorded import CallRecording


def _recording(calls=200):
    return CallRecording(RecordingLimits(calls=calls))


def _counts(recording):
    from relive_capture.record.recording.counting import count_calls

    found = count_calls(recording.calls, recording.left_out)
    return [(one.target, one.count, one.failed, one.wait_ns) for one in found]


def test_calls_are_counted_by_whom_they_went_to():
    recording = _recording()
    for status in (b"200", b"503"):
        call = recording.call("wire", "http.client", "http://stock:80")
        call.received(b"HTTP/1.1 " + status + b" X\r\n")
        call.raw.took_ns = 5
    recording.call("invoke", "relive", method="CALL", url="pricing").raw.status = 200
    recording.call("parts", "httpcore", method="GET", url="https://me:secret@api:8443/v1?key=secret")
    assert _counts(recording) == [
        ("http://stock:80", 2, 1, 10),
        ("function pricing", 1, 0, 0),
        ("https://api:8443", 1, 0, 0),
    ]


def test_a_connection_that_fails_again_and_again_is_kept_once_and_counted():
    recording = _recording()
    for _ in range(5):
        recording.not_connected("socket", "db:5432", ConnectionRefusedError(111, "refused"), "connect")
    assert len(recording.calls) == 1
    assert _counts(recording) == [("db:5432", 5, 5, 0)]


def test_calls_over_the_limit_are_counted_too():
    recording = _recording(calls=2)
    for _ in range(5):
        recording.call("wire", "http.client", "http://stock:80")
    assert _counts(recording) == [("http://stock:80", 5, 0, 0)]


def test_what_is_not_recorded_is_not_said_to_be_none():
    recorder = Recorder(http=False)
    recorder.begin(1)
    assert recorder.calls() is None
    recorder = Recorder()
    recorder.begin(1)
    assert recorder.calls() == []
