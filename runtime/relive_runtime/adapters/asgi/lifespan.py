"""The lifespan of an ASGI application: it starts before the first request, and stops after the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from relive_base.errors import ReliveError

__all__ = ["Lifespan", "LifespanFailed"]

_logger = logging.getLogger("relive")


class LifespanFailed(ReliveError):
    """The application has said that it cannot start."""

    __module__ = "builtins"  # users read its bare name


class Lifespan:
    """One task, as long as the worker serves."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Until it has started. An application without a lifespan raises before it says anything. Raises
        LifespanFailed, or what it has raised after it said so."""
        self._task = asyncio.create_task(self._run(), name="lifespan")
        await self._incoming.put({"type": "lifespan.startup"})
        started = asyncio.ensure_future(self._started.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if not self._started.is_set():
            error = self._task.exception()
            self._task = None
            if error is not None:
                if not isinstance(error, Exception):
                    raise error
                _logger.debug("the application has no lifespan: %s", type(error).__name__)
            return
        if self._failure is not None:
            await asyncio.wait({self._task}, timeout=1.0)
            error = self._task.exception() if self._task.done() else None
            if error is not None:
                raise error
            raise LifespanFailed(
                self._failure or "the application's lifespan failed at startup",
                hint="its log says why, above",
            )

    async def shutdown(self, limit_s: float) -> None:
        """Until it has stopped, within a limit. What fails there is logged."""
        task = self._task
        if task is None or task.done():
            return
        await self._incoming.put({"type": "lifespan.shutdown"})
        done, _ = await asyncio.wait({task}, timeout=limit_s)
        if not done:
            _logger.warning("the application did not shut down within %g s", limit_s)
            task.cancel()
        elif not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("the application failed at shutdown", exc_info=error)
        elif self._failure:
            _logger.error("the application failed at shutdown: %s", self._failure)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._application(scope, self._incoming.get, self._send)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.startup.failed":
            self._failure = str(message.get("message", ""))
            self._started.set()
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
        elif kind == "lifespan.shutdown.failed":
            self._failure = str(message.get("message", ""))
            self._stopped.set()
        else:
            raise RuntimeError(f"the lifespan sent {kind!r}, which it may not")
