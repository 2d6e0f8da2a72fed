"""The inbox of a home, watched: scenes that other machines have sent come in by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.terminal import one_line

from relive_platform.inbox.folder import Inbox, InboxFull
from relive_platform.inbox.process import WAITS, InboxJob, InboxLine
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response, json_response, problem

__all__ = ["InboxDoor", "InboxWatch"]

READER = (sys.executable, "-m", "relive_platform.inbox.process")
_LOOK_S: Final = 2.0
_RETRY_S: Final = 5.0
_LIMIT_S: Final = 300.0
_CHARS: Final = 300
_log = logging.getLogger(__name__)
_lines = msgspec.json.Decoder(InboxLine)


class InboxWatch:
    """Looks every two seconds, and has a process of its own bring in what waits."""

    def __init__(
        self, inbox: Inbox, scenes_dir: Path, store: str, scenes: int, limit_s: float = _LIMIT_S
    ) -> None:
        """`limit_s`: how long a process may take for what waits."""
        self.inbox = inbox
        self._limit_s = limit_s
        self.imported = 0
        self.refused = 0
        self._suspect = ""  # a file with which the last reader has ended
        self._job = InboxJob(str(inbox.folder), str(scenes_dir), store, scenes)
        self._task: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """On the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def counts(self) -> dict[str, int]:
        """For `relive status`: scenes that wait, and what became of others since the server started."""
        return {"waiting": len(self.inbox.waiting()), "imported": self.imported, "refused": self.refused}

    async def close(self) -> None:
        """What waits stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                if self.inbox.waiting() and not await self._bring_in():
                    await asyncio.sleep(_RETRY_S)
            except (OSError, msgspec.DecodeError) as error:
                _log.warning("the inbox could not be read: %s: %s", type(error).__name__, error)
                await asyncio.sleep(_RETRY_S)

    async def _bring_in(self) -> bool:
        """Whether the store took what there was."""
        output, errors, status = await asyncio.to_thread(self._run)
        lines = [_lines.decode(row) for row in output.splitlines(keepends=True) if row.endswith(b"\n")]
        for line in lines:
            if line.state == "begun":
                continue
            taken = line.state != "refused"
            self.imported += line.state == "new"
            self.refused += not taken
            level = logging.INFO if taken else logging.WARNING
            _log.log(level, "inbox: %s: %s: %s", line.file, line.state, one_line(line.text, _CHARS))
        if status:
            text = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            _log.warning("the inbox waits: %s", one_line("".join(text), _CHARS))
        await self._judge(lines[0].file if len(lines) == 1 and status not in (0, WAITS) else "", status)
        return not status

    async def _judge(self, first: str, status: int) -> None:
        """`first`: the file that a reader began with, and ended. Others wait for it; but once is chance."""
        if first and first == self._suspect:
            await asyncio.to_thread(self.inbox.refuse, self.inbox.folder / first)
            self.refused += 1
            _log.warning("inbox: %s: refused: its reader ended twice, now with status %d", first, status)
        self._suspect = first

    def _run(self) -> tuple[bytes, bytes, int]:
        """In a thread, by `subprocess`: uvloop would fork this process, in which gRPC has threads, and gRPC
        says so on the terminal. Raises OSError."""
        process = self._process = subprocess.Popen(
            READER,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, errors = process.communicate(msgspec.json.encode(self._job), self._limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        finally:
            process.kill()
            process.wait()
        return output, errors, process.returncode


class InboxDoor:
    """Takes scenes that come by HTTP. It wants the home's token, on loopback, too."""

    def __init__(self, inbox: Inbox, token: str) -> None:
        self._inbox = inbox
        self._token = token.encode()
        self.limit_bytes = inbox.scene_bytes

    def admits(self, head: Head) -> bool:
        """Whether the client has the token."""
        special = head.special
        scheme, _, given = special.get("authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            given = special.get("x-relive-token", b"")
        return bool(self._token) and hmac.compare_digest(given.strip(), self._token)

    async def take(self, method: str, name: str, data: bytes) -> Response:
        """One scene."""
        if method not in ("POST", "PUT"):
            return problem(405, "MethodNotAllowed", "scenes are sent here by POST", "allow: POST, PUT\r\n")
        try:
            await asyncio.to_thread(self._inbox.put, name, data)
        except InboxFull as error:
            return problem(503, "InboxFull", error.message, "retry-after: 60\r\n")
        except ReliveError as error:
            return problem(400, type(error).__name__, error.message)
        except OSError as error:
            return problem(507, "NoRoom", f"it cannot be kept: {error.strerror}")
        return json_response(202, {"scene": name})
