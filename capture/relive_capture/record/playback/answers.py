"""From a recorded call to what a library expects: bytes as on the wire, or the exception it ended in."""

from __future__ import annotations

import asyncio
import sys
import time

from relive_base.errors import ReliveError

from relive_capture.bodies import body_bytes
from relive_capture.recording_format import Failure, RecordedCall

__all__ = [
    "NotRecorded",
    "is_abandoned",
    "pause",
    "pause_async",
    "rebuild",
    "wait",
    "wait_async",
    "wire_answer",
]

_MODULES = (
    "builtins", "socket", "ssl", "http.client", "asyncio.exceptions", "httpcore", "httpcore._exceptions",
    "aiohttp.client_exceptions", "urllib3.exceptions",
)  # fmt: skip
_FRAMING = ("transfer-encoding", "content-length")
_NO_BODY = (204, 304)
_ABANDONED = (
    "asyncio.exceptions.CancelledError", "concurrent.futures._base.CancelledError", "trio.Cancelled",
    "builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.Timeout",  # the last is that of Relive
)  # fmt: skip
_LONG_S = 3600.0


class NotRecorded(ReliveError):
    """The call is not in the scene's recording."""

    __module__ = "relive"


def is_abandoned(recorded_call: RecordedCall) -> bool:
    """Whether the function gave the call up: it was cancelled, or a time limit struck before it had its
    answer, or all of its body. Played back, it waits for ever: whoever gave it up does so again."""
    failure = recorded_call.failure
    if failure is None:
        return not recorded_call.status
    return failure.type in _ABANDONED


def wait() -> None:
    """Until a signal handler raises, as the time limit's does."""
    while True:
        time.sleep(_LONG_S)


def pause(seconds: float) -> None:
    """As long as the call took; `wait` for one that is paced."""
    if seconds > 0:
        time.sleep(seconds)


async def pause_async(seconds: float) -> None:
    """The same in an event loop, trio's, too."""
    if seconds <= 0:
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        await sys.modules["trio"].sleep(seconds)
    else:
        await asyncio.sleep(seconds)


async def wait_async() -> None:
    """Until it is cancelled. In the loop of trio, too."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        await sys.modules["trio"].sleep_forever()  # httpcore runs on it
    else:
        await loop.create_future()


def rebuild(failure: Failure, *leading: object, modules: tuple[str, ...] = _MODULES) -> Exception:
    """The recorded exception; `leading` goes before its arguments. Only exceptions of known libraries are
    made (`modules`), and only if they are imported; any other becomes an OSError that says which it was."""
    module, _, name = failure.type.rpartition(".")
    cls = getattr(sys.modules.get(module), name, None) if module in modules else None
    arguments: list[object] = [*leading, *failure.arguments]
    if failure.inner is not None:
        arguments.append(rebuild(failure.inner, modules=modules))
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            return cls(*arguments)
        except Exception:  # it wants something else: the text must do
            pass
    return OSError(f"{failure.type}: {', '.join(map(str, failure.arguments))}")


def wire_answer(recorded_call: RecordedCall, method: str) -> bytes:
    """A response in HTTP/1.1. A body that was not read to its end is not ended here either."""
    body = body_bytes(recorded_call.response_body)
    headers = [pair for pair in recorded_call.response_headers if pair[0].lower() not in _FRAMING]
    length = next(
        (value for name, value in recorded_call.response_headers if name.lower() == "content-length"), ""
    )
    if method == "HEAD" or recorded_call.status in _NO_BODY:
        headers += [("Content-Length", length)] if length else []
        body = b""
    elif recorded_call.response_body.complete:
        headers.append(("Content-Length", str(len(body))))
    elif length:
        headers.append(("Content-Length", length))
    else:
        headers.append(("Transfer-Encoding", "chunked"))
        body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    lines = [
        f"HTTP/1.1 {recorded_call.status} {recorded_call.reason}".rstrip()
        + ("" if recorded_call.reason else " ")
    ]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    return head + b"\r\n\r\n" + body
