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


def _wire(recording, at_ms, path, status):
    call = recording.call("wire", "http.client", "http://stock:80")
    call.sent(b"GET " + path + b" HTTP/1.1\r\nHost: stock\r\n\r\n")
    call.received(b"HTTP/1.1 " + status + b" X\r\n")
    call.raw.started_ns, call.raw.took_ns = at_ms, 3
    return call


def _repeated(recording):
    from relive_capture.record.recording.counting import count_calls

    found = count_calls(recording.calls, recording.left_out)
    return [(one.retried, one.retry_ns, one.pause_ns) for one in found]


def test_a_call_is_made_again_if_the_same_is_asked_after_it_has_failed():
    # Given a call that fails twice, each time with another query, and then goes well
    recording = _recording()
    for at_ms, path, status in ((100, b"/a?try=1", b"503"), (120, b"/a?try=2", b"502"), (140, b"/a", b"200")):
        _wire(recording, at_ms, path, status)
    # I expect the time of both, and from their ends to the next ones' beginnings
    assert _repeated(recording) == [(2, 6, 34)]
    # ... and of a last one that failed, too, its own
    _wire(recording, 200, b"/b", b"503")
    _wire(recording, 210, b"/b", b"503")
    assert _repeated(recording) == [(3, 12, 41)]


def test_other_paths_of_a_host_are_not_the_same_call_made_again():
    recording = _recording()
    for at_ms, path in ((100, b"/a"), (110, b"/b"), (120, b"/c"), (130, b"/d")):
        _wire(recording, at_ms, path, b"503")
    _wire(recording, 140, b"/e", b"200")
    assert _repeated(recording) == [(0, 0, 0)]


def test_calls_at_the_same_time_are_not_made_again_by_each_other():
    # Given three at once that fail, and two of them again afterwards
    recording = _recording()
    for at_ms in (100, 101, 102, 110, 111):
        _wire(recording, at_ms, b"/a", b"503")
    assert _repeated(recording) == [(2, 12, 5 + 7)]


def test_a_connection_that_is_tried_again_waits_until_its_last_failure():
    recording = _recording()
    for _ in range(3):
        recording.not_connected("socket", "db:5432", ConnectionRefusedError(111, "refused"), "connect")
    (call,) = recording.calls
    call.raw.started_ns, call.raw.took_ns, call.again_ns = 100, 0, 160
    assert _repeated(recording) == [(2, 0, 60)]


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
