"""Attempts from the server to the program and back: who waits for what, and what of it is allowed when."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from typing import Final, Protocol

from relive_base.wire.messages import CallResult, Done, FunctionSpec, Invoke, Late, Result, Scene, Skipped
from relive_base.wire.sink import FrameSink
from relive_capture.record.told import Told, read_payload

from relive_runtime.adapters.event.decoding import BadEvent
from relive_runtime.adapters.results import BadResult, limit_size
from relive_runtime.custom.api.connection import Refusal, Reply
from relive_runtime.custom.api.parsing import Head
from relive_runtime.custom.attempt import Attempt, ResponseBody
from relive_runtime.custom.events import answer_of, event_bytes, event_headers
from relive_runtime.custom.output import LogWriter
from relive_runtime.custom.streaming import AnswerStreams
from relive_runtime.custom.usage import UsageMeter

__all__ = ["Exchange", "Owner"]

_ERROR_TYPE: Final = "lambda-runtime-function-error-type"
_ERROR_BODY: Final = "lambda-runtime-function-error-body"
_CAUSE: Final = "lambda-runtime-function-xray-error-cause"
_BROKEN_S: Final = 0.2  # a program that ends in the middle of an answer: its end is told first
_HTTP_STATUS: Final = {
    "timeout": 504,
    "exit": 502,
    "signal": 502,
    "memory": 502,
    "bad_result": 502,
    "bad_event": 400,
}
_STATUS: Final = {"timeout": "timeout", "exit": "crash", "signal": "crash", "memory": "memory"}
_ALL: Final = frozenset(("timeout", "exit", "signal", "memory"))  # the program has ended with it


class Owner(Protocol):
    """The host, as far as attempts need it."""

    def ready(self) -> None:
        """The program asks for its first event."""

    def is_up(self) -> bool:
        """Whether the program runs, or begins to."""

    def start_again(self) -> None:
        """It has ended while nothing ran; there is an event for it."""

    def drain_output(self) -> None:
        """Take what it has written until now."""

    def scene(self, kind: str, chain: list[Told], invocation_id: str) -> Scene:
        """Of a failure."""

    def overdue(self, attempt: Attempt) -> None:
        """Its time is over."""


class Exchange:
    """The Runtime API's state (`RuntimeApi`): one attempt at a time."""

    def __init__(
        self, spec: FunctionSpec, sink: FrameSink, log: LogWriter, meter: UsageMeter, owner: Owner
    ) -> None:
        self._spec = spec
        self._sink = sink
        self._log = log
        self._meter = meter
        self._owner = owner
        self._streams = AnswerStreams(sink, spec.stream_limit_bytes)
        self._pending: deque[Invoke] = deque()  # sent ahead, or to come
        self._parked: deque[Reply] = deque()  # the program waits for an event
        self._deadline: asyncio.TimerHandle | None = None
        self.current: Attempt | None = None
        self.started = False  # the program has asked for its first event
        self.reusable = True

    # ------------------------------------------------------------ from the server

    def invoke(self, invoke: Invoke) -> None:
        """An event."""
        self._pending.append(invoke)
        self._begin()

    def call_result(self, result: CallResult) -> None:
        """What has become of a part of a streamed answer."""
        current = self.current
        if current is not None and current.stream is not None:
            current.stream.answered(result)

    def _begin(self) -> None:
        """The next event, if the program has done with the one before."""
        while self.current is None and self._pending and self.reusable:
            invoke = self._pending.popleft()
            limit_ns = invoke.start_before_monotonic_ns
            if limit_ns and time.monotonic_ns() >= limit_ns:
                self._sink.send_surely(Skipped(invocation_id=invoke.invocation_id))
            else:
                self._take(invoke)

    def _take(self, invoke: Invoke) -> None:
        self._sink.watched = True
        self._log.begin(invoke)
        attempt = self.current = Attempt(invoke, b"", self._meter.cpu_ns())
        try:
            attempt.event = event_bytes(invoke, self._spec)
        except (BadEvent, BadResult) as error:
            self.fail("bad_event", [Told(type(error).__name__, str(error))])
            self._over()
            return
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_at(invoke.deadline_monotonic_ns / 1e9, self._late)
        if not self._owner.is_up():
            self.started = False
            self._owner.start_again()
        self._hand()

    def _hand(self) -> None:
        """Give the event to the program if it waits for one."""
        attempt = self.current
        if attempt is None or attempt.answered or attempt.is_handed():
            return
        while self._parked:
            reply = self._parked.popleft()
            if reply.gone:
                continue
            attempt.reply = reply
            attempt.started_ns = time.time_ns()
            reply.send(200, attempt.event, event_headers(attempt.invoke, self._spec))
            return

    # ------------------------------------------------------------ from the program

    def next(self, reply: Reply) -> None:
        """The program is ready for an event. Raises Refusal."""
        if not self.started:
            self.started = True
            self._owner.ready()
        attempt = self.current
        if attempt is not None and attempt.answered:
            self._over()
        elif attempt is not None and attempt.is_handed():
            raise Refusal(403, "InvalidStateTransition", "answer the invocation that runs first")
        self._parked.append(reply)
        self._hand()
        self._begin()

    def answer(self, invocation_id: str, head: Head, reply: Reply) -> ResponseBody:
        """It begins to answer. Raises Refusal."""
        attempt = self._attempt(invocation_id)
        stream = self._streams.of(attempt.invoke)
        return ResponseBody(attempt, head, reply, self, self._spec.result_limit_bytes, stream)

    def failed(self, invocation_id: str, head: Head, body: bytes, reply: Reply) -> None:
        """It could not. Raises Refusal."""
        self._attempt(invocation_id)
        chain = read_payload(body, head.headers.get(_ERROR_TYPE, ""), head.headers.get(_CAUSE, ""))
        self.fail("exception", chain)
        reply.accept()

    def _attempt(self, invocation_id: str) -> Attempt:
        attempt = self.current
        if attempt is None or attempt.invocation_id != invocation_id or attempt.reply is None:
            raise Refusal(400, "InvalidRequestID", "Invalid request ID")
        if attempt.answered:
            raise Refusal(403, "InvalidStateTransition", "the invocation is answered already")
        return attempt

    def responded(self, attempt: Attempt, body: bytes, content_type: str) -> None:
        """An answer is whole."""
        try:
            answer = answer_of(attempt.invoke, body, content_type)
            limit_size(len(answer.body), self._spec.result_limit_bytes)
        except BadResult as error:
            self.fail("bad_result", [Told(type(error).__name__, str(error))])
            return
        self._tell(
            attempt,
            Result(
                invocation_id=attempt.invocation_id,
                status="ok",
                started_ns=attempt.started_ns,
                ended_ns=time.time_ns(),
                body=answer.body,
                content_type=answer.content_type,
                http_status=answer.status,
                headers=answer.headers,
            ),
        )

    def streamed(self, attempt: Attempt, trailers: dict[str, str]) -> None:
        """The last part has come, or an error in its place."""
        if _ERROR_TYPE in trailers:
            try:
                told = base64.b64decode(trailers.get(_ERROR_BODY, ""), validate=True)
            except ValueError:
                told = trailers[_ERROR_BODY].encode("latin-1", "replace")
            self.fail("exception", read_payload(told, trailers[_ERROR_TYPE]))
            return
        self._tell(
            attempt,
            Result(
                invocation_id=attempt.invocation_id,
                status="ok",
                started_ns=attempt.started_ns,
                ended_ns=time.time_ns(),
                streamed_bytes=attempt.stream.streamed_bytes if attempt.stream is not None else 0,
            ),
        )

    def too_large(self, attempt: Attempt, size: int) -> Refusal:
        """An answer is over the limit: it has failed, and the program is told."""
        limit = self._spec.result_limit_bytes
        if not attempt.answered:
            text = f"the response has {size:,} bytes or more, over the limit of {limit:,}"
            self.fail("bad_result", [Told("Function.ResponseSizeTooLarge", text)])
        return Refusal(
            413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({limit} bytes)."
        )

    def misfit(self, attempt: Attempt, why: str) -> Refusal:
        """A streamed answer is none."""
        if not attempt.answered:
            self.fail("bad_result", [Told("BadResult", why)])
        return Refusal(400, "InvalidResponse", why)

    def broken(self, attempt: Attempt) -> None:
        """A response has broken off; the program may send it once more, unless some of it has left."""
        if attempt.stream is not None and attempt.stream.begun:
            asyncio.get_running_loop().call_later(_BROKEN_S, self._truncated, attempt)

    def _truncated(self, attempt: Attempt) -> None:
        if self.current is attempt and not attempt.answered:
            text = "the program closed its connection in the middle of its answer"
            self.fail("bad_result", [Told("Runtime.TruncatedResponse", text)])

    # ------------------------------------------------------------ its end

    def fail(self, kind: str, chain: list[Told]) -> None:
        """The attempt that runs has failed."""
        attempt = self.current
        if attempt is None or attempt.answered:
            return
        ended_ns = attempt.ended_ns or time.time_ns()
        self._owner.drain_output()
        scene = self._owner.scene(kind, chain, attempt.invocation_id)
        self._sink.send_surely(scene, bell=False)
        self._tell(
            attempt,
            Result(
                invocation_id=attempt.invocation_id,
                status=_STATUS.get(kind, "error"),
                started_ns=attempt.started_ns,
                ended_ns=ended_ns,
                http_status=_HTTP_STATUS.get(kind, 500),
                error=scene.error,
                reusable=kind not in _ALL,
                streamed_bytes=attempt.stream.streamed_bytes if attempt.stream is not None else 0,
            ),
        )

    def _tell(self, attempt: Attempt, result: Result) -> None:
        """The result; `Done` follows once the program asks for the next event, or has ended."""
        attempt.answered = True
        attempt.event = b""
        self._owner.drain_output()
        self._log.end(failed=result.status != "ok")
        if not self._sink.send_surely(result) and self._sink.open:
            problem = [Told("BadResult", "the answer has text that is not Unicode: look at its headers")]
            scene = self._owner.scene("bad_result", problem, attempt.invocation_id)
            self._sink.send_surely(
                scene,
                Result(
                    invocation_id=attempt.invocation_id,
                    status="error",
                    started_ns=attempt.started_ns,
                    ended_ns=result.ended_ns,
                    http_status=502,
                    error=scene.error,
                ),
            )

    def _over(self) -> None:
        """All of the attempt is told."""
        attempt = self.current
        if attempt is None:
            return
        self.current = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._owner.drain_output()
        used = self._meter.look()
        log = self._log
        self._sink.send_surely(
            Done(
                invocation_id=attempt.invocation_id,
                cpu_ns=max(used.cpu_ns - attempt.cpu_ns, 0),
                peak_rss_bytes=used.peak_bytes,
                rss_bytes=used.held_bytes,
                logs=log.written,
                dropped=log.dropped,
                reusable=self.reusable,
            )
        )
        log.begin(None)
        self._sink.watched = False

    def ended(self) -> None:
        """The program has ended, and whatever failed with it is told: nothing more comes of the attempt."""
        self._parked.clear()
        attempt = self.current
        if attempt is not None and attempt.answered:
            self.reusable = False
            self._over()

    def retire(self) -> None:
        """Nothing is begun any more."""
        self.reusable = False

    def _late(self) -> None:
        self._deadline = None
        attempt = self.current
        if attempt is not None:
            self._sink.send(Late(invocation_id=attempt.invocation_id))
            self._owner.overdue(attempt)
