"""The client's end of a debugging session."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc
from relive_base.errors import ReliveError

from relive_platform.api import control_pb2 as pb
from relive_platform.api.errors import from_rpc_error

__all__ = ["DebugCall"]

_ATTACH_S: Final = 20.0
_WAITING: Final = 64
_LEAVE_S: Final = 5.0
_LOOK_S: Final = 0.02


class DebugCall:
    """One session. `send_*` never block; `next` waits for what the process says."""

    def __init__(self, method: Any, ident: str, address: str) -> None:
        """Raises what the server answers if nothing can be attached."""
        self._address = address
        self._requests: queue.SimpleQueue[pb.DebugRequest | None] = queue.SimpleQueue()
        # Bounded: what a terminal does not take in time waits in the process that writes it.
        self._responses: queue.Queue[pb.DebugResponse | ReliveError] = queue.Queue(_WAITING)
        self._requests.put(pb.DebugRequest(attach=ident))
        self._call: Any = method(iter(self._requests.get, None))
        # A thread of its own: a wait for it can be interrupted by Ctrl-C, a wait inside gRPC not.
        self._reader = threading.Thread(target=self._read, args=(self._call,), name="debug", daemon=True)
        self._reader.start()
        try:
            first = self.next(_ATTACH_S)
            if first is None:
                raise ReliveError("the server did not attach a debugger", where=address)
        except BaseException:
            self.close()
            raise
        self.worker: pb.FrozenWorker = first.attached

    def _read(self, responses: Iterator[pb.DebugResponse]) -> None:
        try:
            for response in responses:
                self._responses.put(response)
            self._responses.put(pb.DebugResponse(ended=pb.DebugEnded(reason="the server ended the session")))
        except grpc.RpcError as error:
            self._responses.put(from_rpc_error(error, self._address))

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next; None after `timeout_s`. `ended` is the last. Raises ReliveError if
        the server is gone."""
        try:
            response = self._responses.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(response, ReliveError):
            raise response
        return response

    def send_line(self, text: str, *, end: bool = False) -> None:
        """The answer to a prompt; `end` is the end of the input."""
        self._requests.put(pb.DebugRequest(line=pb.DebugLine(text=text, end=end)))

    def send_complete(self, request: int, text: str) -> None:
        """Ask for completions of the line up to the cursor."""
        self._requests.put(pb.DebugRequest(complete=pb.DebugComplete(request=request, text=text)))

    def interrupt(self) -> None:
        """Ctrl-C for what runs now."""
        self._requests.put(pb.DebugRequest(interrupt=True))

    def close(self) -> None:
        """Leave; the worker is frozen again.

        Nothing of the call is left: a thread inside gRPC that the end of this process stops keeps the lock
        of its call, and whoever collects the call then waits for that lock for ever.
        """
        self._requests.put(None)
        if self._call is not None:
            self._call.cancel()
        end = time.monotonic() + _LEAVE_S
        while self._reader.is_alive() and time.monotonic() < end:
            with contextlib.suppress(queue.Empty):  # it may wait for a place
                self._responses.get_nowait()
            self._reader.join(_LOOK_S)
        self._call = None
