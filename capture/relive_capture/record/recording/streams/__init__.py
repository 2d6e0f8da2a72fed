"""Libraries whose connections are tapped: their protocol is known, and the bytes of it are kept."""

from __future__ import annotations

from relive_capture.record.recording.streams.grpc_calls import patch_grpc, patch_grpc_asyncio
from relive_capture.record.recording.streams.redis_calls import patch_redis, patch_redis_asyncio

__all__ = ["patch_grpc", "patch_grpc_asyncio", "patch_redis", "patch_redis_asyncio"]
