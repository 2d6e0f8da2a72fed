"""Reading what Python's fault handler wrote: every version's form, and whatever else comes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.crash import crash_view, locate
from relive_capture.explore.fault_text import parse_fault

TEXT = """Fatal Python error: Segmentation fault

Thread 0x00007f2bfb000640 [pool-1] (most recent call first):
  File "/usr/lib/python3.13/threading.py", line 359 in wait
  File "/code/v1/cart.py", line ??? in wait_for_stock

Current thread 0x00007fcbefc98b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/code/v1/cart.py", line 9 in price
  File "/code/v1/cart.py", line 21 in handler
  File "/relive_runtime/adapters/handlers.py", line 60 in call
  ...

Extension modules: msgspec._core, numpy.core._multiarray_umath (total: 2)
"""


def test_the_thread_that_died_comes_first_with_its_frames() -> None:
    report = parse_fault("noise\n" + TEXT)

    assert report is not None
    assert report.reason == "Segmentation fault"
    assert [thread.current for thread in report.threads] == [True, False]
    assert report.threads[0].frames[1] == ("/code/v1/cart.py", 9, "price")
    assert report.threads[1].name == "pool-1"
    assert report.threads[1].frames[1] == ("/code/v1/cart.py", 0, "wait_for_stock")


def test_of_two_fatal_errors_the_last_one_counts() -> None:
    # Given what a forked child wrote before its parent died, too
    report = parse_fault(
        TEXT + "Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n"
    )

    assert report is not None
    assert (report.reason, len(report.threads), report.threads[0].frames) == ("Aborted", 1, [])


def test_the_error_is_located_in_the_users_own_code_and_the_scene_has_its_source(tmp_path: Path) -> None:
    (tmp_path / "cart.py").write_text("".join(f"line {number}\n" for number in range(1, 30)))
    text = TEXT.replace("/code/v1", str(tmp_path))
    error = ErrorInfo(type="WorkerKilled", message="killed by signal 11 (SIGSEGV)", kind="signal")

    locate(error, text, str(tmp_path))
    view = crash_view(text, error, str(tmp_path))

    assert (error.file, error.line, error.function) == ("cart.py", 9, "price")
    assert error.fingerprint
    assert view is not None
    assert "source/cart.py" in view.members
    assert b'"line 9"' in view.members["exception.json"]
    assert b"wait_for_stock" in view.members["threads.json"]
    assert "without locals" in view.parts["exception"].reason


@given(st.text() | st.lists(st.sampled_from([*TEXT.splitlines(), "", "  File", "Thread 0x"])).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    error = ErrorInfo(type="WorkerKilled", message="", kind="signal")

    locate(error, text, "/code/v1")
    report = parse_fault(text)

    assert (report is None) == ("Fatal Python error: " not in text) or report is None
    assert error.line == 0 or report is not None


def test_the_scene_says_why_there_are_no_locals() -> None:
    error = ErrorInfo(type="WorkerKilled", message="", kind="signal")

    view = crash_view(TEXT, error, "/code/v1", why="the process did not stop to be read")

    assert view is not None
    reason = view.parts["exception"].reason
    assert reason == "from the fault handler: frames without locals: the process did not stop to be read"
