"""gRPC clients: unary and streaming calls, in threads and in an event loop: messages as bytes, beneath
interceptors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.recorded import Call, CallRecordingHolder
from relive_capture.record.recording.streams.grpc_messages import CODEC, to_plain
from relive_capture.recording_format import Failure

__all__ = ["STREAMED", "copied", "patch_grpc", "patch_grpc_asyncio", "text_of"]

STREAMED = "streamed requests"
"""In the place of requests that come one by one: they may depend on answers, and are not compared."""
_STATUS = "grpc.RpcError"


def text_of(value: Any) -> str:
    """gRPC's names are bytes here and text there."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@cache
def _slots_of(cls: type) -> tuple[str, ...]:
    found = [one.__dict__.get("__slots__", ()) for one in cls.__mro__]
    names = [name for slots in found for name in ((slots,) if isinstance(slots, str) else slots)]
    return tuple(name for name in dict.fromkeys(names) if not name.startswith("__"))


def copied(one: Any) -> Any:
    """The same object once more, to be changed for one call."""
    cls: Any = type(one)
    made = object.__new__(cls)
    for name in _slots_of(cls):
        try:
            setattr(made, name, getattr(one, name))
        except AttributeError:
            continue  # it has none
    made.__dict__.update(one.__dict__)
    return made


class _Kept:
    """One call. What it is about is made plain data once the invocation has failed."""

    __slots__ = ("_answers", "_call", "_method", "_requests", "_size", "_streamed", "status")

    def __init__(self, call: Call, method: str, *, streamed: bool) -> None:
        self._call = call
        self._method = method
        self._streamed = streamed
        self._requests: list[bytes] = []
        self._answers: list[bytes | None] = []  # None: one that is over a limit
        self._size = 0
        self.status: Callable[[], tuple[Any, ...] | None] = lambda: None
        """(code, its name, details, metadata at the beginning, at the end); None: it has not ended."""
        call.later.append(self._tell)

    def _fits(self, size: int) -> bool:
        kept_calls = self._call.kept_calls
        kept_calls.make_room(size)
        if not kept_calls.open or size > min(self._call.left, kept_calls.left_bytes):
            return False
        kept_calls.left_bytes -= size
        self._call.left -= size
        self._size += size
        return True

    def asked(self, data: Any) -> None:
        """A message goes out."""
        if type(data) is bytes and self._fits(len(data)):
            self._requests.append(data)

    def answered(self, data: Any) -> None:
        """One has come."""
        call = self._call
        if not call.answered:
            call.answer_begins()
            call.timed()
        if type(data) is bytes and (not self._answers or self._answers[-1] is not None):
            self._answers.append(data if self._fits(len(data)) else None)

    def _tell(self) -> None:
        call = self._call
        call.kept_calls.left_bytes += 4 * self._size  # as plain data they are larger
        call.left += 4 * self._size
        method = self._method
        requests = [to_plain(method, data, answer=False) for data in self._requests]
        call.asks(CODEC.encode(STREAMED if self._streamed else requests))
        for data in self._answers:
            if data is None:
                call.raw.response_cut += 1
                return
            call.answers(CODEC.encode(to_plain(method, data, answer=True)))
        status = self.status()
        if status is None:
            return
        code, name, details, first, last = status
        end = {"code": code, "details": details, "initial": _metadata(first), "trailing": _metadata(last)}
        call.answers(CODEC.encode({"end": end}))
        call.raw.ended = True
        if code:
            call.raw.failure = Failure(_STATUS, [name, details[:500]], "response")


def _metadata(found: Any) -> dict[str, list[Any]]:
    made: dict[str, list[Any]] = {}
    for name, value in found or ():
        made.setdefault(text_of(name), []).append(value)
    return made


def _begun(holder: CallRecordingHolder, target: Any, method: Any, *, streamed: bool) -> _Kept | None:
    kept_calls = holder.kept_calls
    if kept_calls is None:
        return None
    name = text_of(method)
    return _Kept(
        kept_calls.call("values", "grpc", f"grpc://{text_of(target)}", name), name, streamed=streamed
    )


# ---------------------------------------------------------------- in threads


def patch_grpc(holder: CallRecordingHolder, module: ModuleType) -> None:
    """grpc._channel."""
    for cls in (module._UnaryUnaryMultiCallable, module._StreamUnaryMultiCallable):
        streamed = cls is module._StreamUnaryMultiCallable
        cls._blocking = _recorded(holder, cls._blocking, streamed=streamed, blocking=True)
        cls.future = _recorded(holder, cls.future, streamed=streamed)
    for cls in (
        module._UnaryStreamMultiCallable,
        module._SingleThreadedUnaryStreamMultiCallable,
        module._StreamStreamMultiCallable,
    ):
        cls.__call__ = _recorded(holder, cls.__call__, streamed=cls is module._StreamStreamMultiCallable)


def _recorded(holder: CallRecordingHolder, original: Any, *, streamed: bool, blocking: bool = False) -> Any:
    @wraps(original)
    def recorded(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            kept = _begun(holder, self._target, self._method, streamed=streamed)
            own = copied(self)
        except Exception:  # another grpc than we know
            kept = None
        if kept is None:
            own = self
        else:
            own._request_serializer = _noted(self._request_serializer, kept.asked)
            own._response_deserializer = _seen(self._response_deserializer, kept.answered)
        try:
            found = original(own, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise
        if kept is None:
            return found
        state = found[0] if blocking else getattr(found, "_state", None)
        if state is not None:
            kept.status = lambda: _status_of(state)
        return found

    return recorded


def _noted(serialize: Any, note: Callable[[Any], None]) -> Any:
    def noted(message: Any) -> Any:
        try:
            data = serialize(message) if serialize is not None else message
        except BaseException as error:
            without_this_frame(error)
            raise
        note(data)
        return data

    return noted


def _seen(read: Any, note: Callable[[Any], None]) -> Any:
    def seen(data: Any) -> Any:
        note(data)
        try:
            return read(data) if read is not None else data
        except BaseException as error:
            without_this_frame(error)
            raise

    return seen


def _status_of(state: Any) -> tuple[Any, ...] | None:
    code = state.code
    if code is None:
        return None
    details = text_of(state.details) if state.details is not None else ""
    return code.value[0], code.name, details, state.initial_metadata, state.trailing_metadata


# ---------------------------------------------------------------- in an event loop


def patch_grpc_asyncio(holder: CallRecordingHolder, module: ModuleType) -> None:
    """grpc.aio._channel."""
    init = module.Channel.__init__

    @wraps(init)
    def recorded(self: Any, target: Any, *arguments: Any, **options: Any) -> None:
        with UNSEEN:
            init(self, target, *arguments, **options)
        self._channel = _AioChannel(holder, target, self._channel)

    module.Channel.__init__ = recorded


class _AioChannel:
    """Before the channel of grpc's core."""

    def __init__(self, holder: CallRecordingHolder, target: Any, channel: Any) -> None:
        self._holder = holder
        self._target = target
        self._core = channel

    def __getattr__(self, name: str) -> Any:
        with UNSEEN:
            return getattr(self._core, name)

    def call(self, method: Any, *arguments: Any) -> Any:
        """A call that is about to begin."""
        try:
            call = self._core.call(method, *arguments)
        except BaseException as error:
            without_this_frame(error)
            raise
        kept_calls = self._holder.kept_calls
        return call if kept_calls is None else _AioCall(self._holder, self._target, method, call)


class _AioCall:
    """Before a call of grpc's core: messages pass through it as bytes."""

    def __init__(self, holder: CallRecordingHolder, target: Any, method: Any, call: Any) -> None:
        self._core = call
        self._begin = partial(_begun, holder, target, method)
        self._kept: _Kept | None = None

    def __getattr__(self, name: str) -> Any:
        with UNSEEN:
            return getattr(self._core, name)

    def __repr__(self) -> str:
        return repr(self._core)

    def _begins(self, *, streamed: bool) -> None:
        kept = self._kept = self._begin(streamed=streamed)
        if kept is not None:
            kept.status = self._ended

    def _ended(self) -> tuple[Any, ...] | None:
        status = self._core._status
        if status is None:
            return None
        code = status.code()
        names = {known.value[0]: known.name for known in _codes()}
        first, last = self._core._initial_metadata, status.trailing_metadata()
        return code, names.get(code, str(code)), status.details() or "", first, last

    async def unary_unary(self, request: bytes, *arguments: Any) -> Any:
        """One message for one."""
        self._begins(streamed=False)
        if self._kept is not None:
            self._kept.asked(request)
        try:
            return self._answered(await self._core.unary_unary(request, *arguments))
        except BaseException as error:
            without_this_frame(error)
            raise

    async def initiate_unary_stream(self, request: bytes, *arguments: Any) -> Any:
        """One message for many."""
        self._begins(streamed=False)
        if self._kept is not None:
            self._kept.asked(request)
        try:
            return await self._core.initiate_unary_stream(request, *arguments)
        except BaseException as error:
            without_this_frame(error)
            raise

    async def stream_unary(self, *arguments: Any) -> Any:
        """Many messages for one."""
        if self._kept is None:
            self._begins(streamed=True)
        try:
            return self._answered(await self._core.stream_unary(*arguments))
        except BaseException as error:
            without_this_frame(error)
            raise

    async def initiate_stream_stream(self, *arguments: Any) -> Any:
        """Many for many."""
        self._begins(streamed=True)
        try:
            return await self._core.initiate_stream_stream(*arguments)
        except BaseException as error:
            without_this_frame(error)
            raise

    async def receive_serialized_message(self) -> Any:
        """The next one."""
        try:
            return self._answered(await self._core.receive_serialized_message())
        except BaseException as error:
            without_this_frame(error)
            raise

    def _answered(self, data: Any) -> Any:
        if self._kept is not None and type(data) is bytes:
            self._kept.answered(data)
        return data


def _codes() -> Any:
    import grpc

    return grpc.StatusCode
