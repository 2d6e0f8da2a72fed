"""Connections in a replay that answer from the recording in the protocol of their library."""

from __future__ import annotations

from relive_capture.record.playback.streams.grpc_calls import play_grpc, play_grpc_asyncio
from relive_capture.record.playback.streams.redis_calls import play_redis, play_redis_asyncio

__all__ = ["play_grpc", "play_grpc_asyncio", "play_redis", "play_redis_asyncio"]
