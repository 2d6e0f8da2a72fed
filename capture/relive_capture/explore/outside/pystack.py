"""pystack reads the native stacks of a process that stands still, and core files. An optional dependency."""

from __future__ import annotations

import re
from typing import Any, Final

from relive_capture.explore.outside.programs import MAX_OUTPUT_BYTES, find_program, run_program

__all__ = ["PystackError", "parse_pystack", "pystack_core", "pystack_path", "pystack_remote", "stack_lines"]

INSTALL: Final = "pip install 'relive[native]'"
_MAX_THREADS: Final = 200
_MAX_FRAMES: Final = 400
_MAX_LOCALS: Final = 64
_THREAD: Final = re.compile(r"^Traceback for thread (\d{1,18})(?: \(([^)\n]{0,100})\))?")
_FRAME: Final = re.compile(r'^ {4}\((Python|C)\) File "(.{0,600})", line (\d{1,9}), in (.{1,300})$')
_LOCAL: Final = re.compile(r"^ {8}(\w{1,120}): (.*)$")


class PystackError(Exception):
    """pystack is not there, or could not read; the text says why."""


def pystack_path() -> str | None:
    """The program, if it is installed."""
    return find_program("pystack")


def pystack_remote(pid: int, timeout_s: float, *, native: bool, values: bool = False) -> str:
    """The stacks of a process, which the caller has stopped, as text. Raises PystackError."""
    how = ["--native"] if native else ["--no-block"]
    return _run(["remote", *how, *(["--locals"] if values else []), "--no-color", str(pid)], timeout_s)


def pystack_core(core: str, executable: str, timeout_s: float, *, values: bool = True) -> str:
    """The stacks in a core file as text. Raises PystackError."""
    how = ["--native", *(["--locals"] if values else [])]
    return _run(["core", *how, "--no-color", core, executable], timeout_s)


def _run(arguments: list[str], timeout_s: float) -> str:
    program = pystack_path()
    if program is None:
        raise PystackError(f"pystack is not installed: {INSTALL}")
    try:
        output, errors, status = run_program([program, *arguments], timeout_s)
    except TimeoutError:
        raise PystackError(f"pystack gave no answer within {timeout_s:.1f} s") from None
    except OSError as error:
        raise PystackError(f"pystack cannot be started: {error.strerror}") from None
    text = output.decode("utf-8", "replace")
    if "Traceback for thread" not in text:
        said = errors.decode("utf-8", "replace").strip().splitlines() or text.strip().splitlines()
        raise PystackError(f"pystack read nothing (status {status}): {said[-1][:200] if said else ''}")
    if len(output) > MAX_OUTPUT_BYTES:
        raise PystackError(f"pystack wrote more than {MAX_OUTPUT_BYTES} bytes")
    return text


def stack_lines(text: str) -> str:
    """Its threads and frames alone: the scene has the source files, redacted, and the locals."""
    kept = [line for line in text.splitlines() if _THREAD.match(line) or _FRAME.match(line)]
    return "".join(f"{line}\n" for line in kept)


def parse_pystack(text: str, pid: int = 0) -> list[dict[str, Any]]:
    """The Python frames of its text, in the form in which py-spy tells them: innermost first, with locals.

    The thread whose id is `pid` is named MainThread. Bounded; whatever is not understood is left out.
    """
    threads: list[dict[str, Any]] = []
    frame: dict[str, Any] | None = None
    for line in text.splitlines():
        head = _THREAD.match(line)
        if head is not None:
            ident = int(head[1])
            name = "MainThread" if ident == pid else head[2] or "?"
            frame = None
            if len(threads) < _MAX_THREADS:
                threads.append({"thread_name": name, "thread_id": ident, "frames": []})
            continue
        place = _FRAME.match(line)
        if place is not None and threads:
            frame = None
            if place[1] == "Python" and len(threads[-1]["frames"]) < _MAX_FRAMES:
                frame = {"filename": place[2], "line": int(place[3]), "name": place[4], "locals": []}
                threads[-1]["frames"].insert(0, frame)
            continue
        local = _LOCAL.match(line) if frame is not None else None
        if local is not None and frame is not None and len(frame["locals"]) < _MAX_LOCALS:
            frame["locals"].append({"name": local[1], "repr": local[2][:2_000]})
    return threads
