"""The record sides of the other rooms, as one worker uses them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable

from relive_base.errors import ReliveError
from relive_base.parts import Why, missing
from relive_base.wire.messages import ErrorInfo, FunctionSpec, Result, Scene
from relive_capture import record as capture

from relive_runtime.isolation.limits import make_room_for_files
from relive_runtime.isolation.spaces import TMP
from relive_runtime.worker.start.namesakes import originals

__all__ = ["bare_scene", "capture_answer", "capture_failure"]

_MESSAGE_CHARS = 2_000


def capture_failure(
    error: BaseException,
    *,
    kind: str,
    spec: FunctionSpec,
    invocation_id: str,
    moment: capture.Moment | None = None,
    result: object = capture.NO_RESULT,
    place: tuple[str, str] | None = None,
    early: Callable[[Scene], object] | None = None,
) -> Scene:
    """The scene of `error`; if even the capture fails, one that has the error and says so."""
    if isinstance(error, ReliveError) and error.__suppress_context__:
        error.__context__ = None  # how Relive noticed is no part of the user's failure
    if issubclass(type(error), OSError):
        _help(error)
    try:
        with originals():
            return capture.capture_exception(
                error,
                kind=kind,
                spec=spec,
                invocation_id=invocation_id,
                moment=moment,
                result=result,
                place=place,
                early=early,
            )
    except BaseException as problem:  # a second timeout, no memory: the answer must leave all the same
        return bare_scene(error, problem, kind, invocation_id)


def bare_scene(error: BaseException, problem: BaseException, kind: str, invocation_id: str) -> Scene:
    """The scene of an `error` whose capture ended in `problem`: type, message and place."""
    info = ErrorInfo(type=type(error).__name__, message=_text(error), kind=kind)
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        info.file, info.line, info.function = code.co_filename, traceback.tb_lineno, code.co_name
        traceback = traceback.tb_next
    return Scene(
        invocation_id=invocation_id,
        captured_ns=time.time_ns(),
        error=info,
        parts={"exception": missing(Why.CAPTURE_FAILED, type(problem).__name__)},
    )


def capture_answer(result: Result, *, spec: FunctionSpec, invocation_id: str, route: str) -> Scene:
    """The scene of an answer with a 5xx status, of which no exception is known: status and body."""
    try:
        from http import HTTPStatus  # only failures need it

        phrase = HTTPStatus(result.http_status).phrase
    except ValueError:
        phrase = ""
    with originals():
        return capture.capture_answer(
            str(result.http_status),
            phrase,
            body=result.body if spec.capture != "off" else b"",
            route=route,
            spec=spec,
            invocation_id=invocation_id,
        )


def _help(error: BaseException) -> None:
    if error.args[:1] == (errno.EMFILE,):
        make_room_for_files()  # or no source file could be read
    path = OSError.filename.__get__(error)
    folder = os.environ.get("TMPDIR", "")
    if (
        error.args[:1] == (errno.EACCES,)
        and type(path) is str
        and f"{path}/".startswith(f"{TMP}/")
        and folder != TMP
    ):
        text = f"no function may write to {TMP} here: use tempfile, or the folder in TMPDIR ({folder})"
        BaseException.add_note(error, text)


def _text(error: BaseException) -> str:
    # Only exact strings: str(error) could run the user's code.
    return " ".join(item for item in error.args if type(item) is str)[:_MESSAGE_CHARS]
