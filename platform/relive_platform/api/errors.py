"""Carrying Relive's errors over gRPC: a status for machines, the whole error in the trailing metadata."""

from __future__ import annotations

import grpc
import msgspec
from relive_base.errors import ExitCode, NotFound, Refused, ReliveError, ServerUnreachable, UsageError

__all__ = ["METADATA_KEY", "from_rpc_error", "status_of", "to_metadata"]

METADATA_KEY = "relive-error-bin"

_STATUS_BY_EXIT = {
    ExitCode.USAGE: grpc.StatusCode.INVALID_ARGUMENT,
    ExitCode.REFUSED: grpc.StatusCode.PERMISSION_DENIED,
    ExitCode.UNREACHABLE: grpc.StatusCode.UNAVAILABLE,
}
_CLASS_BY_EXIT: dict[int, type[ReliveError]] = {
    ExitCode.USAGE: UsageError,
    ExitCode.REFUSED: Refused,
    ExitCode.UNREACHABLE: ServerUnreachable,
}


class _WireError(msgspec.Struct):
    message: str
    where: str
    hint: str
    exit_code: int
    not_found: bool


def status_of(error: ReliveError) -> grpc.StatusCode:
    """The gRPC status that fits `error` best."""
    if isinstance(error, NotFound):
        return grpc.StatusCode.NOT_FOUND
    return _STATUS_BY_EXIT.get(error.exit_code, grpc.StatusCode.FAILED_PRECONDITION)


def to_metadata(error: ReliveError) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata that `from_rpc_error` makes the error from again."""
    wire = _WireError(error.message, error.where, error.hint, error.exit_code, isinstance(error, NotFound))
    return ((METADATA_KEY, msgspec.msgpack.encode(wire)),)


def from_rpc_error(error: grpc.RpcError, address: str) -> ReliveError:
    """The ReliveError that a failed call stands for.

    The error of a stream is its call: with a traceback it would hold itself, and be collected at the end of
    the process, when threads of gRPC may have been stopped with the call's lock in their hands.
    """
    error.__traceback__ = None
    for key, value in error.trailing_metadata() or ():
        if key == METADATA_KEY:
            wire = msgspec.msgpack.decode(value, type=_WireError)
            kind = NotFound if wire.not_found else _CLASS_BY_EXIT.get(wire.exit_code, ReliveError)
            return kind(wire.message, where=wire.where, hint=wire.hint)
    code = error.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return ServerUnreachable(
            f"no Relive server answers at {address} ({code.name.lower()})",
            hint="start one with: relive serve",
        )
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return Refused(f"{address} wants its token", hint="use --home of the server, or set RELIVE_TOKEN")
    return ReliveError(f"the server failed: {error.details() or code.name}")
