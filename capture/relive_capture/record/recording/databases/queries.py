"""What every database's recorder does: begin a call with its statement and parameters, keep rows and errors.

Rows and parameters of values that nobody can change are kept as they are and told if the invocation fails; a
query that goes well costs two looks at their types and sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from sys import getsizeof
from typing import Any, Final

from relive_capture.record.recording.recorded import Call, CallRecording
from relive_capture.typed_values import IMMUTABLE, ValueCodec

__all__ = [
    "CODEC",
    "STATEMENT_CHARS",
    "answer",
    "asks",
    "begin",
    "exception_parts",
    "fails",
    "rows",
    "statement_text",
]

CODEC: Final = ValueCodec()
STATEMENT_CHARS: Final = 20_000
_TEXT: Final = 8_000
_ARGUMENTS: Final = 6
_immutable = IMMUTABLE.issuperset


def statement_text(statement: object) -> str:
    """A statement as it is kept and compared."""
    if type(statement) is str:
        return statement if len(statement) <= STATEMENT_CHARS else statement[:STATEMENT_CHARS]
    if isinstance(statement, bytes | bytearray):
        return bytes(statement[: STATEMENT_CHARS * 4]).decode("utf-8", "replace")[:STATEMENT_CHARS]
    if isinstance(statement, str):
        return str.__str__(statement)[:STATEMENT_CHARS]
    return f"<{type(statement).__name__}>"


def begin(kept_calls: CallRecording, library: str, target: str, method: str, statement: object = "") -> Call:
    """A call whose answer is yet to come."""
    call = kept_calls.call("values", library, target, method)
    call.raw.statement = (
        statement if type(statement) is str and len(statement) < 1_000 else statement_text(statement)
    )
    call.answered = True
    return call


def asks(call: Call, parameters: Any, codec: ValueCodec = CODEC) -> None:
    """The parameters of its statement."""
    values = parameters
    if type(parameters) is dict:
        parameters = dict(parameters)
        values = parameters.values()
    elif type(parameters) is list:
        values = parameters = list(parameters)
    elif type(parameters) is not tuple:
        _line(call, call.asks, codec.encode({"parameters": parameters}))
        return
    if _immutable(map(type, values)):
        _later(call, values, call.asks, {"parameters": parameters}, codec)
    else:
        _line(call, call.asks, codec.encode({"parameters": parameters}))


def rows(call: Call, found: Sequence[Sequence[Any]], codec: ValueCodec = CODEC) -> None:
    """Rows that were read: tuples, or lists of cells that are the caller's own copies."""
    if not found:
        return
    if _immutable(map(type, chain.from_iterable(found))):
        _later(call, chain.from_iterable(found), call.answers, {"rows": _Rows(found)}, codec)
    else:
        _line(call, call.answers, codec.encode({"rows": [list(row) for row in found]}))


class _Rows:
    """Rows that become lists when they are told."""

    __slots__ = ("found",)

    def __init__(self, found: Sequence[Sequence[Any]]) -> None:
        self.found = found


def _later(
    call: Call, cells: Iterable[Any], tell: Callable[[bytes], None], value: dict[str, Any], codec: ValueCodec
) -> None:
    """Keep `value` until it is told; as much as its cells are large is taken of the limits meanwhile."""
    kept_calls = call.kept_calls
    if not kept_calls.open:
        return
    size = sum(map(getsizeof, cells))
    if size > kept_calls.left_bytes:
        kept_calls.make_room(size)
    if size > call.left * 4 or size > kept_calls.left_bytes:  # an object is larger than its text
        _line(call, tell, codec.encode(_plain(value)))
        return
    kept_calls.left_bytes -= size

    def told() -> None:
        kept_calls.left_bytes += size
        tell(codec.encode(_plain(value)))

    call.later.append(told)


def _line(call: Call, tell: Callable[[bytes], None], line: bytes) -> None:
    """Tell a line now, or after what is told later and came before it."""
    kept_calls = call.kept_calls
    if not call.later:
        tell(line)
        return
    size = len(line)
    if size > kept_calls.left_bytes:
        kept_calls.make_room(size)
    if size > kept_calls.left_bytes:
        call.later.append(lambda: tell(b" " * (call.left + 1)))  # over the limit: it is counted as cut
        return
    kept_calls.left_bytes -= size

    def told() -> None:
        kept_calls.left_bytes += size
        tell(line)

    call.later.append(told)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    found = value.get("rows")
    return {"rows": [list(row) for row in found.found]} if type(found) is _Rows else value


def answer(call: Call, value: Callable[[], object] | object, codec: ValueCodec = CODEC) -> None:
    """Another value of its answer; one that is called is told later."""
    call.timed()
    if callable(value):
        call.later.append(lambda: call.answers(codec.encode(value())))
    else:
        _line(call, call.answers, codec.encode(value))


def fails(call: Call, error: BaseException, more: dict[str, object] | None = None) -> None:
    """It ended in an exception, which the function sees."""
    if call.raw.failure is not None:
        return
    call.failed(error, "")
    if isinstance(error, Exception):
        answer(call, {"raises": {**exception_parts(error), **(more or {})}})


def exception_parts(error: BaseException) -> dict[str, object]:
    """Type and plain arguments. No method of it is called."""
    cls = type(error)
    arguments = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    plain = [
        argument[:_TEXT] if type(argument) is str else argument
        for argument in arguments[:_ARGUMENTS]
        if argument is None or type(argument) in (str, int, float, bool)
    ]
    return {"type": f"{cls.__module__}.{cls.__qualname__}"[:500], "args": plain}
