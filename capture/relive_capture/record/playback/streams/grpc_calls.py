"""gRPC clients in a replay: no call leaves; grpc's own objects give what was recorded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.answers import NotRecorded, pause, pause_async
from relive_capture.record.recording.streams.grpc_calls import STREAMED, text_of
from relive_capture.record.recording.streams.grpc_messages import CODEC, from_plain, to_plain

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer

__all__ = ["play_grpc", "play_grpc_asyncio"]

_CANCELLED = 1
_BY_CLIENT = "Locally cancelled by application!"


class _Answer:
    """Of one call: its messages, then how it ended."""

    def __init__(self, player: PlayedCalls, target: Any, method: Any, requests: list[bytes] | None) -> None:
        self._method = text_of(method)
        self._player = player
        asked: Any = STREAMED
        if requests is not None:
            asked = [to_plain(self._method, data, answer=False) for data in requests]
        self.typed: TypedAnswer = player.values(CODEC, self._method, f"grpc://{text_of(target)}", "", asked)
        self.end: dict[str, Any] | None = None

    @property
    def took_s(self) -> float:
        """How long it took."""
        return self._player.took_s(self.typed.recorded_call)

    def messages(self) -> Iterator[bytes]:
        """As they came. Raises NotRecorded if one is not there."""
        while self.typed.more:
            plain = self.typed.next()
            if isinstance(plain, dict) and "end" in plain:
                self.end = plain["end"]
                return
            try:
                yield from_plain(self._method, plain, answer=True)
            except ValueError as error:
                raise NotRecorded(f"the answer of {self._method}: {error}", hint=self._player.hint) from None

    def metadata(self, name: str) -> tuple[tuple[str, Any], ...]:
        """ "initial" or "trailing"."""
        found = (self.end or {}).get(name) or {}
        return tuple((key, value) for key, values in found.items() for value in values)


# ---------------------------------------------------------------- in threads


def play_grpc(player: PlayedCalls, module: ModuleType) -> None:
    """grpc._channel."""
    undo, stream = player.undo, _stream_class(module)
    for cls in (module._UnaryUnaryMultiCallable, module._StreamUnaryMultiCallable):
        streamed = cls is module._StreamUnaryMultiCallable
        undo.set(cls, "_blocking", _played_blocking(player, module, cls._blocking, streamed=streamed))
        undo.set(cls, "future", _played_future(player, module, cls.future, streamed=streamed))
    for cls in (
        module._UnaryStreamMultiCallable,
        module._SingleThreadedUnaryStreamMultiCallable,
        module._StreamStreamMultiCallable,
    ):
        streamed = cls is module._StreamStreamMultiCallable
        undo.set(cls, "__call__", _played_stream(player, module, stream, cls.__call__, streamed=streamed))


def _serialized(callable_: Any, request: Any) -> bytes:
    serialize = callable_._request_serializer
    data: bytes = serialize(request) if serialize is not None else request
    return data


def _state(module: Any, answer: _Answer) -> Any:
    """The state of a call that has ended."""
    end = answer.end or {}
    codes = {code.value[0]: code for code in module.grpc.StatusCode}
    code = codes.get(end.get("code", 0), module.grpc.StatusCode.UNKNOWN)
    first, last = answer.metadata("initial"), answer.metadata("trailing")
    return module._RPCState((), first, last, code, end.get("details") or "")


def _unary_state(player: PlayedCalls, module: Any, callable_: Any, request: Any, *, streamed: bool) -> Any:
    requests = request if streamed else (request,)
    sent = [_serialized(callable_, one) for one in requests]
    answer = _Answer(player, callable_._target, callable_._method, None if streamed else sent)
    pause(answer.took_s)
    messages = list(answer.messages())
    if answer.end is None:
        answer.typed.wait_if_abandoned()
        threading.Event().wait()  # it never came: whoever gave it up does so again
    state = _state(module, answer)
    if messages:
        read = callable_._response_deserializer
        state.response = read(messages[0]) if read is not None else messages[0]
    return state


def _played_blocking(player: PlayedCalls, module: Any, original: Any, *, streamed: bool) -> Any:
    @wraps(original)
    def blocking(self: Any, request: Any, *_arguments: Any, **_options: Any) -> Any:
        return _unary_state(player, module, self, request, streamed=streamed), None

    return blocking


def _played_future(player: PlayedCalls, module: Any, original: Any, *, streamed: bool) -> Any:
    @wraps(original)
    def future(self: Any, request: Any, *_arguments: Any, **_options: Any) -> Any:
        state = _unary_state(player, module, self, request, streamed=streamed)
        return module._MultiThreadedRendezvous(state, None, self._response_deserializer, None)

    return future


def _played_stream(player: PlayedCalls, module: Any, stream: Any, original: Any, *, streamed: bool) -> Any:
    @wraps(original)
    def called(self: Any, request: Any, *_arguments: Any, **_options: Any) -> Any:
        sent = None if streamed else [_serialized(self, request)]
        answer = _Answer(player, self._target, self._method, sent)
        if streamed:
            consumed = threading.Thread(target=_consume, args=(self, request), daemon=True)
            consumed.start()
        state = module._RPCState((), None, None, None, None)
        found = stream(state, None, self._response_deserializer, None)
        found.played(answer)
        return found

    return called


def _consume(callable_: Any, requests: Any) -> None:
    """As grpc does it in a thread of its own."""
    for one in requests:
        _serialized(callable_, one)


class _Stream:
    """Answers that come one by one; beside it stands grpc's own class of them."""

    module: Any
    _state: Any
    _response_deserializer: Any

    def played(self, answer: _Answer) -> None:
        """It gives what was answered."""
        self._answer = answer
        self._messages = answer.messages()
        pause(answer.took_s)

    def _next(self) -> Any:
        state = self._state
        message = next(self._messages, None) if state.code is None else None
        if message is not None:
            read = self._response_deserializer
            return read(message) if read is not None else message
        self._end()
        if state.code is self.module.grpc.StatusCode.OK:
            raise StopIteration
        raise self  # type: ignore[misc]  # grpc's class is an exception

    def _end(self) -> None:
        state, answer = self._state, self._answer
        if state.code is not None:
            return
        if answer.end is None:
            threading.Event().wait()  # it was given up, and will be again
        ended = _state(self.module, answer)
        state.initial_metadata, state.trailing_metadata = ended.initial_metadata, ended.trailing_metadata
        state.code, state.details = ended.code, ended.details

    def initial_metadata(self) -> Any:
        """It is recorded with the end."""
        if self._state.initial_metadata is None:
            self._messages = iter(list(self._messages))
            self._state.initial_metadata = self._answer.metadata("initial")
        return self._state.initial_metadata

    def cancel(self) -> bool:
        """The function has enough."""
        state = self._state
        if state.code is None:
            state.code, state.details = self.module.grpc.StatusCode.CANCELLED, _BY_CLIENT
            state.cancelled = True
            state.initial_metadata = state.initial_metadata or ()
            state.trailing_metadata = ()
        return True

    def add_callback(self, callback: Any) -> bool:
        """None is called: the end is where the function meets it."""
        return self._state.code is None

    def __del__(self) -> None: ...


def _stream_class(module: Any) -> Any:
    return type("_MultiThreadedRendezvous", (_Stream, module._MultiThreadedRendezvous), {"module": module})


# ---------------------------------------------------------------- in an event loop


def play_grpc_asyncio(player: PlayedCalls, module: ModuleType) -> None:
    """grpc.aio._channel."""
    init = module.Channel.__init__

    @wraps(init)
    def played(self: Any, target: Any, *arguments: Any, **options: Any) -> None:
        init(self, target, *arguments, **options)
        self._channel = _PlayedChannel(player, module, target, self._channel)

    player.undo.set(module.Channel, "__init__", played)


class _PlayedChannel:
    """In the place of the channel of grpc's core: it begins no call."""

    def __init__(self, player: PlayedCalls, module: Any, target: Any, channel: Any) -> None:
        self._player = player
        self._module = module
        self._target = target
        self._core = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def call(self, method: Any, *_arguments: Any) -> Any:
        """A call that is about to begin."""
        return _PlayedCall(self._player, self._module.cygrpc, self._target, method)


class _PlayedCall:
    """As a call of grpc's core."""

    def __init__(self, player: PlayedCalls, core: Any, target: Any, method: Any) -> None:
        self._player = player
        self._core = core
        self._target = target
        self._method = method
        self._answer: _Answer | None = None
        self._messages: Iterator[bytes] = iter(())
        self._callbacks: list[Any] = []
        self._initial_metadata: Any = None
        self._status: Any = None
        self._locally = False
        self._over = asyncio.Event()

    def _begin(self, requests: list[bytes] | None) -> None:
        self._answer = _Answer(self._player, self._target, self._method, requests)
        self._messages = self._answer.messages()

    async def _next(self) -> bytes | None:
        answer = self._answer
        assert answer is not None
        message = next(self._messages, None) if self._status is None else None
        if message is None and self._status is None:
            if answer.end is None:
                await self._over.wait()  # it was given up, and will be again
                return None
            end = answer.end
            self._initial_metadata = answer.metadata("initial")
            self._ended(end.get("code", 0), end.get("details") or "", answer.metadata("trailing"))
        return message

    def _ended(self, code: int, details: str, trailing: Any = ()) -> None:
        self._status = self._core.AioRpcStatus(code, details, trailing, "")
        self._initial_metadata = self._initial_metadata or ()
        self._over.set()
        for callback in self._callbacks:
            callback()

    async def unary_unary(self, request: bytes, *_arguments: Any) -> Any:
        """One message for one."""
        self._begin([request])
        assert self._answer is not None
        await pause_async(self._answer.took_s)
        return await self._only()

    async def _only(self) -> Any:
        message = await self._next()
        if message is not None:
            await self._next()  # the end
        return message

    async def initiate_unary_stream(self, request: bytes, *_arguments: Any) -> None:
        """One message for many."""
        self._begin([request])
        assert self._answer is not None
        await pause_async(self._answer.took_s)

    async def stream_unary(self, _metadata: Any, sent: Any, *_arguments: Any) -> Any:
        """Many messages for one."""
        self._begin(None)
        sent()
        self._closed = getattr(self, "_closed", None) or asyncio.Event()
        await self._closed.wait()
        return await self._only()

    async def initiate_stream_stream(self, _metadata: Any, sent: Any, *_arguments: Any) -> None:
        """Many for many."""
        self._begin(None)
        sent()

    async def send_serialized_message(self, message: bytes) -> None:
        """It goes nowhere."""

    async def send_receive_close(self) -> None:
        """No more of them."""
        self._closed = getattr(self, "_closed", None) or asyncio.Event()
        self._closed.set()

    async def receive_serialized_message(self) -> Any:
        """The next one, or the end."""
        message = await self._next()
        return self._core.EOF if message is None else message

    async def status(self) -> Any:
        """How it ended."""
        await self._over.wait()
        return self._status

    async def initial_metadata(self) -> Any:
        """What came first; it is recorded with the end."""
        if self._initial_metadata is None and self._answer is not None:
            kept = list(self._messages)
            self._initial_metadata = self._answer.metadata("initial")
            self._messages = iter(kept)
        return self._initial_metadata or ()

    def done(self) -> bool:
        return self._status is not None

    def is_ok(self) -> bool:
        return self._status is not None and self._status.code() == 0

    def cancel(self, details: str) -> bool:
        if self._status is None:
            self._locally = True
            self._ended(_CANCELLED, details)
        return True

    def cancelled(self) -> bool:
        return self._status is not None and self._status.code() == _CANCELLED

    def is_locally_cancelled(self) -> bool:
        return self._locally

    def add_done_callback(self, callback: Any) -> None:
        if self.done():
            callback()
        else:
            self._callbacks.append(callback)

    def time_remaining(self) -> float | None:
        return None

    def set_internal_error(self, text: str) -> None:
        self._ended(13, text)
