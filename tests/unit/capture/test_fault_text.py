"""Reading what Python's fault handler wrote: every version's form, and whatever else comes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from relive_base.parts import Reason, Why
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.outside import crash_view, locate, parse_fault

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


def _crashed(folder: Path, signal: str, line: int) -> tuple[str, str]:
    """The group of a crash, as its fault handler and as a look from outside tell it."""
    text = TEXT.replace("/code/v1", str(folder)).replace("line 9 in", f"line {line} in")
    error = ErrorInfo(type="WorkerKilled", message=f"killed by signal 11 ({signal})", kind="signal")
    locate(error, text, str(folder))
    view = crash_view(text, error, str(folder))
    assert view is not None
    return error.fingerprint, view.error.fingerprint


def test_crashes_of_other_signals_or_lines_are_other_groups(tmp_path: Path) -> None:
    # Given a function with three lines that crash, two of them alike
    program = "".join(f"number {number}\n" for number in range(1, 9)) + "kill(a)\nread(0)\n  kill( a )\n"
    (tmp_path / "cart.py").write_text(program)

    # When it crashes
    first = _crashed(tmp_path, "SIGSEGV", 9)

    # I expect the same group for the same line, also where it has moved to, and however it was read
    assert first == _crashed(tmp_path, "SIGSEGV", 11)
    assert first[0] == first[1]
    # ... and others for another signal, and for another line
    assert first[0] != _crashed(tmp_path, "SIGILL", 9)[0]
    assert first[0] != _crashed(tmp_path, "SIGSEGV", 10)[0]


def test_no_file_but_the_functions_own_is_read_for_the_group(tmp_path: Path) -> None:
    # Given a link in the function's folder to what is not its own
    outside, folder = tmp_path / "key.py", tmp_path / "code"
    folder.mkdir()
    outside.write_text("secret\n" * 9)
    (folder / "cart.py").symlink_to(outside)
    before = _crashed(folder, "SIGSEGV", 9)[0]

    # I expect the group to say nothing of its text
    outside.write_text("other\n" * 9)
    assert _crashed(folder, "SIGSEGV", 9)[0] == before


@given(st.text() | st.lists(st.sampled_from([*TEXT.splitlines(), "", "  File", "Thread 0x"])).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    error = ErrorInfo(type="WorkerKilled", message="", kind="signal")

    locate(error, text, "/code/v1")
    report = parse_fault(text)

    assert (report is None) == ("Fatal Python error: " not in text) or report is None
    assert error.line == 0 or report is not None


def test_the_scene_says_why_there_are_no_locals() -> None:
    error = ErrorInfo(type="WorkerKilled", message="", kind="signal")

    view = crash_view(TEXT, error, "/code/v1", why=[Reason(Why.NO_STOP)])

    assert view is not None
    reason = view.parts["exception"].reason
    assert reason == "from the fault handler: frames without locals; the process did not stop to be read"
