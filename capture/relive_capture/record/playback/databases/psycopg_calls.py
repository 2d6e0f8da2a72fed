"""psycopg 3, sync and async: its own connections and cursors, on a libpq connection that is played."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Generator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.answers import pause, pause_async, wait, wait_async
from relive_capture.record.playback.databases.answering import connection
from relive_capture.record.playback.databases.pg_connection import PlayedConnection, Waits
from relive_capture.record.playback.databases.pg_escaping import Escaping, play_adapters
from relive_capture.record.recording.databases.pg_results import target_of
from relive_capture.record.recording.databases.psycopg_calls import instead

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play"]


def play(player: PlayedCalls, module: ModuleType) -> None:
    """Instead of libpq's connections and of what waits for them."""
    put = player.undo.set
    pq: Any = sys.modules["psycopg.pq"]
    generators: Any = sys.modules["psycopg.generators"]
    waiting: Any = sys.modules["psycopg.waiting"]

    def connect(conninfo: str) -> Generator[Any, Any, Any]:
        target = target_of(None, conninfo)
        found = connection(player, target)
        if found is None:
            return PlayedConnection(player, target, conninfo, {})
        yield Waits(player.took_s(found.recorded_call), found.given_up)
        return PlayedConnection(player, target, conninfo, found.next())

    played = {
        "connect": connect,
        "execute": generators._execute,
        "send": generators._send,
        "fetch_many": generators._fetch_many,
        "fetch": _fetch(generators._fetch),
        "pipeline_communicate": _communicate,
        "copy_to": _copy_to,
        "copy_end": _copy_end(generators),
        "notifies": _notifies,
    }
    for name, own in played.items():
        instead(getattr(generators, name), own, put)
    put(generators, "_fetch", played["fetch"])
    # The C transformer reads libpq's results past their methods; the one in Python asks them.
    transformer: Any = importlib.import_module("psycopg._py_transformer")
    adapt: Any = sys.modules["psycopg.adapt"]
    if adapt.Transformer is not transformer.Transformer:
        instead(adapt.Transformer, transformer.Transformer, put)
    instead(pq.Escaping, Escaping, put)
    strings: Any = sys.modules["psycopg.types.string"]
    put(strings.ByteaLoader, "_escaping", Escaping())
    play_adapters(sys.modules["psycopg._adapters_map"].AdaptersMap, put)
    copying: Any = sys.modules["psycopg._copy_base"]
    for name in ("format_row_text", "format_row_binary", "parse_row_text", "parse_row_binary"):
        put(copying, name, getattr(copying, f"_{name}"))
    _play_waiting(waiting, put)


# ---------------------------------------------------------------- generators


def _fetch(original: Any) -> Any:
    """A result, after the time that it took."""

    def fetch(pgconn: Any) -> Generator[Any, Any, Any]:
        waits = pgconn.waits()
        if waits is not None:
            yield waits
        return (yield from original(pgconn))

    return fetch


def _communicate(pgconn: Any, commands: Any) -> Generator[Any, Any, Any]:
    found = []
    while commands:
        commands.popleft()()
    for results in pgconn.pipelined():
        waits = pgconn.waits()
        if waits is not None:
            yield waits
        found.append(results)
    return found


def _copy_to(pgconn: Any, buffer: Any, flush: bool = True) -> Generator[Any, Any, Any]:
    yield from ()
    pgconn.put_copy_data(buffer)


def _copy_end(generators: Any) -> Any:
    def copy_end(pgconn: Any, error: bytes | None) -> Generator[Any, Any, Any]:
        pgconn.put_copy_end(error)
        (result,) = yield from generators._fetch_many(pgconn)
        if result.status != 1:  # COMMAND_OK
            raise sys.modules["psycopg.errors"].error_from_result(result, encoding=pgconn._encoding)
        return result

    return copy_end


def _notifies(pgconn: Any) -> Generator[Any, Any, Any]:
    yield from ()
    return pgconn.notified()


# ---------------------------------------------------------------- waiting


def _play_waiting(waiting: Any, put: Callable[[Any, str, object], None]) -> None:
    """There is no socket to wait for: what is waited for is time."""
    ready = waiting.Ready.RW

    def play_wait(gen: Any, *_arguments: Any, **_options: Any) -> Any:
        try:
            waits = next(gen)
            while True:
                if isinstance(waits, Waits):
                    wait() if waits.for_ever else pause(waits.seconds)
                waits = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    for name in ("wait", "wait_conn"):
        instead(getattr(waiting, name), play_wait, put)
    for name in ("wait_async", "wait_conn_async"):
        instead(getattr(waiting, name), _async_wait(ready), put)


def _async_wait(ready: Any) -> Any:
    async def play_wait(gen: Any, *_arguments: Any, **_options: Any) -> Any:
        await asyncio.sleep(0)  # as long as a server takes, others have their turn
        try:
            waits = next(gen)
            while True:
                if isinstance(waits, Waits):
                    await (wait_async() if waits.for_ever else pause_async(waits.seconds))
                waits = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    return play_wait
