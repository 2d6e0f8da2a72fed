"""What answers one connection of pymongo: recorded documents, as messages."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from relive_capture.bodies import body_bytes
from relive_capture.bson_values import as_line
from relive_capture.mongo_wire import Command, answer_message, command, split
from relive_capture.record.playback.answers import NotRecorded, is_abandoned, rebuild
from relive_capture.record.playback.recorded_calls import one_call

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.recording_format import RecordedCall

__all__ = ["MODULES", "Answers"]

MODULES: Final = ("builtins", "socket", "ssl", "pymongo.errors", "asyncio.exceptions")
"""Where exceptions that ended a connection may come from."""
_UNREAD: Final = ("killCursors", "endSessions")


class Answers:
    """Of one connection. `hello`: what the server says of itself."""

    def __init__(self, player: PlayedCalls, origin: str, hello: dict[str, Any]) -> None:
        self._player = player
        self._origin = origin
        self._hello = hello
        self._messages: deque[bytes] = deque()
        self._recorded: RecordedCall | None = None
        self._begun = False

    def asked(self, message: bytes) -> None:
        """A message goes out. Raises NotRecorded for one that nobody has recorded."""
        ((code, request_id, content),) = split(message)
        found = command(code, content)
        self._recorded = None
        self._begun = False
        if "client" in found.arguments and found.name.lower() in ("hello", "ismaster"):
            self._messages.append(answer_message(code, request_id, self._hello))
        elif found.name in _UNREAD:
            self._messages.append(answer_message(code, request_id, {"ok": 1.0}))
        else:
            self._recorded = recorded = self._taken(found)
            self._answer(code, request_id, found, recorded)

    def _taken(self, asked: Command) -> RecordedCall:
        player, line = self._player, as_line(asked.arguments)
        found = player.recorded_calls.take_values(asked.name, self._origin, asked.statement, line)
        if found is None:
            what = one_call(asked.name, asked.statement)
            raise NotRecorded(f"{what} is not in the scene's recording", hint=player.hint)
        return found

    def _answer(self, code: int, request_id: int, asked: Command, recorded: RecordedCall) -> None:
        data = body_bytes(recorded.response_body)
        for line in data.split(b"\n") if data and asked.answered else ():
            value = json.loads(line)
            more = asked.streamed and not _ends(value)
            self._messages.append(answer_message(code, request_id, value, more=more))

    # ------------------------------------------------------------ reading

    def took_s(self) -> float:
        """How long to wait before the first answer."""
        begun, self._begun = self._begun, True
        return 0.0 if begun or self._recorded is None else self._player.took_s(self._recorded)

    def given_up(self) -> bool:
        """Whether nobody waited for an answer to its end: it never comes."""
        recorded = self._recorded
        if self._messages or recorded is None or recorded.response_body.cut:
            return False
        return recorded.failure is None or is_abandoned(recorded)

    def next(self) -> bytes:
        """The next message that answers. Raises what reading ended in, and NotRecorded if that is over a
        limit."""
        if self._messages:
            return self._messages.popleft()
        recorded = self._recorded
        if recorded is not None and recorded.failure is not None:
            raise rebuild(recorded.failure, modules=MODULES)
        what = one_call(recorded.method, recorded.statement) if recorded is not None else "a message"
        raise NotRecorded(
            f"the rest of the answer of {what} is over the size limit of the recording",
            hint=self._player.hint,
        )


def _ends(value: dict[str, Any]) -> bool:
    """Whether an answer says that no other follows."""
    cursor = value.get("cursor")
    return not isinstance(cursor, dict) or cursor.get("id") in (0, {"$numberLong": "0"})
