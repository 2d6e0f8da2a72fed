"""A trigger of a kind of its own, as `docs` say to add one: each new file in a folder is an event."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.base import Claim, Key, Served, TriggerConfig
from relive_platform.triggers.ways import Ways

__all__ = ["FolderSource", "FolderTrigger"]

LOOK_S = 0.02


class FolderTrigger(TriggerConfig, frozen=True, tag="folder", kw_only=True):
    """Files that appear in `path`."""

    KEYS: ClassVar[Mapping[str, Key]] = {"path": Key("text", "An absolute folder.", required=True)}

    path: str

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if not Path(self.path).is_absolute():
            yield "path", f"{self.path!r} is not absolute", "begin it with /"

    def claims(self) -> Iterator[Claim]:
        yield Claim(
            "folder", self.path, "path", f"the folder {self.path!r} is already one", "choose another folder"
        )

    def describe(self) -> str:
        return f"folder {self.path}"


class FolderSource:
    """Looks often. Each file goes onto the durable queue under its own name, and is removed then."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._folders: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def apply(self, functions: Sequence[Served]) -> None:
        self._folders = {
            trigger.path: function.name
            for function in functions
            for trigger in function.config.triggers
            if isinstance(trigger, FolderTrigger)
        }

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            for folder, function in self._folders.items():
                for file in [Path(folder, name) for name in sorted(os.listdir(folder))]:
                    event = json.dumps({"file": file.name, "text": file.read_text()}).encode()
                    request = InvokeRequest(function=function, event=event, trigger="folder")
                    await self._ways.publish(request, f"folder-{file.name}")
                    file.unlink()
            await asyncio.sleep(LOOK_S)
