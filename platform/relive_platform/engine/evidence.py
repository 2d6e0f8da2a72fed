"""What comes in of one attempt beside its answer, kept within limits until its scene is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from relive_base.parts import PartState
from relive_base.wire.messages import LogLine

from relive_platform.engine.intake import frame_lines
from relive_platform.evidence import HeapFound

__all__ = ["Evidence"]

KEPT_BYTES: Final = 2_097_152
"""Of the spans of one attempt, and of its log lines."""
EVIDENCE_BYTES: Final = 16 * 1_048_576  # of its span updates, and of one profile
SPAN_UPDATES_KEPT: Final = 256  # a worker sends half as many
PROFILES_KEPT: Final = 4


class Evidence(msgspec.Struct, eq=False):
    """Of one attempt, or of the loading of a module. Payloads are as they came from the worker."""

    scene: bytes = b""  # of a Scene message
    spans: list[bytes] = []  # of Spans messages, the first ones
    span_bytes: int = 0  # of all that came, span updates included
    logs: list[bytes] = []  # of Logs messages, the last ones
    log_bytes: int = 0
    logs_left_out: int = 0  # earlier lines, which `logs` has no more
    span_updates: list[bytes] = []  # of SpanUpdate messages
    profiles: list[bytes] = []  # of Profile messages
    members: dict[str, bytes] = {}  # that a dump from outside gave
    parts: dict[str, PartState] = {}  # of the scene, as far as the server knows of them
    redactions: list[str] = []  # places in `members`
    rss_peak: int = 0  # that the server has seen
    console_bytes: int = 0
    heap: HeapFound | None = None  # what came before the attempt's record was handed on

    def keep_scene(self, payload: bytes) -> None:
        """Keep the worker's scene; the newest is the fullest."""
        self.scene = payload

    def forget_scene(self) -> None:
        """What has come so far is of something else, or nothing that can be read."""
        self.scene = b""

    def keep_heap(self, found: HeapFound) -> None:
        """Keep what became of its heap until its record is handed on."""
        self.heap = found

    def keep_spans(self, payload: bytes) -> None:
        """Keep a Spans message, if there is room."""
        self.span_bytes += len(payload)
        if self.span_bytes <= KEPT_BYTES:
            self.spans.append(payload)

    def keep_logs(self, payload: bytes, limit_bytes: int = KEPT_BYTES) -> None:
        """Keep a Logs message. Over the limit the oldest go, a quarter of it at once."""
        self.logs.append(payload)
        self.log_bytes += len(payload)
        if self.log_bytes <= limit_bytes:
            return
        gone = 0
        for old in self.logs:
            if self.log_bytes <= limit_bytes * 3 // 4:
                break
            self.log_bytes -= len(old)
            self.logs_left_out += frame_lines(old)
            gone += 1
        del self.logs[:gone]

    def keep_span_update(self, payload: bytes) -> None:
        """Keep what the function's code put on the invoke span, if there is room."""
        if len(self.span_updates) < SPAN_UPDATES_KEPT:
            self.span_bytes += len(payload)
            if self.span_bytes <= EVIDENCE_BYTES:
                self.span_updates.append(payload)

    def keep_profile(self, payload: bytes) -> None:
        """Keep a Profile message, if there is room."""
        if len(self.profiles) < PROFILES_KEPT and len(payload) <= EVIDENCE_BYTES:
            self.profiles.append(payload)

    def take_profiles(self) -> list[bytes]:
        """Its profiles, which are somebody else's from now on."""
        profiles, self.profiles = self.profiles, []
        return profiles

    def has_room_for(self, lines: list[LogLine], limit_bytes: int) -> bool:
        """Whether these lines of the console are within the limit of all of them."""
        self.console_bytes += sum(len(line.body) for line in lines)
        return self.console_bytes <= limit_bytes

    def hold(self, held_bytes: int) -> None:
        """So much memory was in use."""
        if held_bytes > self.rss_peak:
            self.rss_peak = held_bytes

    def mark(self, name: str, part: PartState) -> None:
        """What is to be said of a part of the scene."""
        self.parts[name] = part

    def dumped(
        self, members: Mapping[str, bytes], parts: Mapping[str, PartState], redactions: list[str]
    ) -> None:
        """What was read of its process from outside."""
        self.members = dict(members)
        self.parts.update(parts)
        self.redactions = redactions

    def loaded(self, loading: Evidence) -> None:
        """It waited for a module that could not be loaded: what came of that is its own."""
        self.scene = loading.scene
        self.spans, self.span_bytes = list(loading.spans), loading.span_bytes
        self.logs, self.log_bytes = list(loading.logs), loading.log_bytes
        self.logs_left_out = loading.logs_left_out
