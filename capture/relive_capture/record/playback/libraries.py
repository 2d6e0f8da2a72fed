"""Which libraries are played to, each after the function has imported it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from relive_capture.record.playback.aiohttp_calls import play_aiohttp
from relive_capture.record.playback.databases import played_databases
from relive_capture.record.playback.httpcore_calls import play_httpcore
from relive_capture.record.playback.network import play_network, play_ssl
from relive_capture.record.playback.sockets import fake_connect
from relive_capture.record.recording.imports import when_imported

if TYPE_CHECKING:
    from types import ModuleType

    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play_libraries"]


def play_libraries(player: PlayedCalls) -> None:
    """From here on nothing of this process reaches the network through Python."""
    import socket

    play_network(player, socket)
    player.undo.add(
        when_imported(
            {
                "ssl": partial(play_ssl, player),
                "urllib3.util.connection": partial(_play_urllib3, player),
                "httpcore": partial(play_httpcore, player),
                "aiohttp": partial(play_aiohttp, player),
                "grpc._channel": partial(_play_stream, "play_grpc", player),
                "grpc.aio._channel": partial(_play_stream, "play_grpc_asyncio", player),
                "redis.connection": partial(_play_stream, "play_redis", player),
                "redis.asyncio.connection": partial(_play_stream, "play_redis_asyncio", player),
                **played_databases(player),
            }
        )
    )


def _play_stream(name: str, player: PlayedCalls, module: ModuleType) -> None:
    from relive_capture.record.playback import streams

    getattr(streams, name)(player, module)


def _play_urllib3(player: PlayedCalls, module: ModuleType) -> None:
    player.undo.set(module, "create_connection", fake_connect(player, module.create_connection))
