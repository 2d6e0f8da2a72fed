"""Reading scene archives that may come from anywhere: everything is bounded and checked before it is used."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
import zipfile
import zlib
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from relive_base.json_text import depth_over
from relive_base.parts import PartState, Why
from relive_base.source_text import decode_source
from relive_base.values import ValueNode
from relive_base.wire.messages import LogLine, SpanData

from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene.bounds import Limits, Spending, check_directory, check_members
from relive_capture.explore.scene.live_part import part_as_of
from relive_capture.explore.scene.manifest_parts import part_from_manifest
from relive_capture.explore.scene.references import MAX_EXPANDED, expand_references
from relive_capture.explore.snapshots import FOLDER, HeapSnapshot, read_members, read_meta
from relive_capture.heap_format import HeapMeta
from relive_capture.model import (
    BackgroundView,
    ExceptionView,
    FrameView,
    ResultView,
    TaskView,
    ThreadView,
)
from relive_capture.recording_format import RecordedCall, ReplayNotes

__all__ = ["Limits", "SceneFile", "own_frame", "read_scene"]

T = TypeVar("T")
_KNOWN_SCHEMA = 1
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
_INVOCATION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_TIME_NS = 1 << 62  # the year 2116
_DEFAULTS: dict[str, Any] = {
    "captured_ns": 0,
    "kind": "",
    "parts": {},
    "version": 0,
    "trace_id": "",
    "fingerprint": "",
}
_MANIFEST_TYPES = (
    ("invocation_id", str),
    ("function", str),
    ("attempt", int),
    ("error", dict),
    ("captured_ns", int),
    ("kind", str),
    ("parts", dict),
    ("version", int),
    ("trace_id", str),
    ("fingerprint", str),
)
_HINT = "the file is damaged or not a scene; get it again with `relive scene ID --output FILE`"


class SceneFile:
    """One opened scene. Members are decoded when they are asked for; every property may raise SceneError."""

    def __init__(self, data: bytes, archive: zipfile.ZipFile, limits: Limits, where: str) -> None:
        self.raw = data
        self._archive = archive
        self._limits = limits
        self._where = where
        self._spending = Spending(limits)
        self._infos = {info.filename: info for info in archive.infolist()}
        self.manifest: dict[str, Any] = self._manifest()

    def __repr__(self) -> str:
        return f"SceneFile({self.invocation_id!r}, attempt={self.attempt})"

    # ------------------------------------------------------------ identity

    @cached_property
    def hash(self) -> str:
        """sha256 of the archive, hex."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return len(self.raw)

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return list(self._infos)

    @property
    def invocation_id(self) -> str:
        return str(self.manifest["invocation_id"])

    @property
    def attempt(self) -> int:
        return int(self.manifest.get("attempt", 1))

    # ------------------------------------------------------------ parts

    @cached_property
    def parts(self) -> dict[str, PartState]:
        """State of every part, and why."""
        found: dict[str, PartState] = {}
        for name, part in self.manifest["parts"].items():
            if isinstance(part, dict):
                found[str(name)] = part_from_manifest(part)
        if "live" in found:
            captured_ns = self.manifest["captured_ns"]
            found["live"] = part_as_of(found["live"], captured_ns, time.time_ns())
        return found

    @cached_property
    def exceptions(self) -> list[ExceptionView]:
        """[0] is the raised one, then what it was raised from; without frames if none could be saved."""
        views: list[ExceptionView] = self._json("exception.json", list[ExceptionView], [])
        self._check_depth(views)
        expand_references(views)
        return views or [self._bare_exception()]

    @cached_property
    def event(self) -> bytes:
        """The event's or the request's body, redacted; empty if there was none."""
        return self.member("event.bin") if "event.bin" in self._infos else b""

    @cached_property
    def context(self) -> dict[str, Any]:
        """Trigger, and the HTTP request under "http"."""
        return self._json("context.json", dict[str, Any], {})

    @cached_property
    def healthy_event(self) -> bytes:
        """The event of the function version's last success before this failure, redacted; empty if the
        scene has none."""
        return self.member("healthy/event.bin") if "healthy/event.bin" in self._infos else b""

    @cached_property
    def healthy_context(self) -> dict[str, Any]:
        """Of the same: invocation_id, started_ns, trigger, and the HTTP request under "http"; else empty."""
        return self._json("healthy/context.json", dict[str, Any], {})

    @cached_property
    def logs(self) -> list[LogLine]:
        """Log lines in their order."""
        if "logs.jsonl" not in self._infos:
            return []
        data = self.member("logs.jsonl")
        objection = self._spending.take(data)
        if not objection and data.count(b"\n") > self._limits.log_lines:
            objection = f"more than {self._limits.log_lines} lines"
        if objection:
            raise self._broken("logs.jsonl", objection)
        try:
            rows = [msgspec.json.decode(line) for line in data.split(b"\n") if line]
            return [_from_fields(LogLine, row) for row in rows]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._broken("logs.jsonl", error) from error

    @cached_property
    def spans(self) -> list[SpanData]:
        """The function's own spans."""
        rows: list[Any] = self._json("spans.json", list[Any], [])
        try:
            return [_from_fields(SpanData, row) for row in rows]
        except (msgspec.MsgspecError, RecursionError) as error:
            raise self._broken("spans.json", error) from error

    @cached_property
    def profile(self) -> list[dict[str, Any]]:
        """Profiles by phase, each with its stacks."""
        return self._json("profile.json", list[dict[str, Any]], [])

    @cached_property
    def threads(self) -> list[ThreadView]:
        """The other threads of the process."""
        return self._json("threads.json", list[ThreadView], [])

    @cached_property
    def tasks(self) -> list[TaskView]:
        """The asyncio tasks of the process."""
        return self._json("tasks.json", list[TaskView], [])

    @cached_property
    def background(self) -> list[BackgroundView]:
        """What failed in threads and tasks that nobody waited for."""
        views: list[BackgroundView] = self._json("background.json", list[BackgroundView], [])
        left = MAX_EXPANDED
        for view in views:
            self._check_depth(view.exceptions)
            left = expand_references(view.exceptions, left) if left > 0 else 0
        return views

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Interpreter, names of variables, versions of modules."""
        return self._json("environment.json", dict[str, Any], {})

    @cached_property
    def result(self) -> ResultView | None:
        """The result that could not be sent, if that was the failure."""
        return self._json("result.json", ResultView, None) if "result.json" in self._infos else None

    @cached_property
    def replay_notes(self) -> ReplayNotes | None:
        """What a replay goes by; None in scenes of an older Relive."""
        return self._json("replay.json", ReplayNotes, None) if "replay.json" in self._infos else None

    @cached_property
    def recorded_calls(self) -> list[RecordedCall]:
        """The calls that the function made."""
        return self._json("cassette.json", list[RecordedCall], [])

    @cached_property
    def redactions(self) -> list[str]:
        """Places whose values were redacted."""
        return self._json("redactions.json", list[str], [])

    @property
    def has_heap(self) -> bool:
        """Whether there is a heap snapshot; `parts["heap"]` says why if there is none."""
        return f"{FOLDER}meta.json" in self._infos

    @property
    def heap_elsewhere(self) -> str:
        """Invocation of the same failure whose heap was taken in place of this one's; "" if none was."""
        part = self.parts.get("heap")
        why = None if self.has_heap or part is None else part.because(Why.HEAP_OF_SAME_FAILURE)
        other = str(why.arguments[1]) if why is not None and len(why.arguments) > 1 else ""
        return other if _INVOCATION.fullmatch(other) else ""

    @property
    def heap_meta(self) -> HeapMeta:
        """How the heap snapshot came about, without reading it. Raises SceneError."""
        return read_meta(self.member, self._where, self._limits.heap)

    def heap(self) -> HeapSnapshot:
        """The heap snapshot, checked. Raises SceneError; `explore.heap.opening` analyses it."""
        return read_members(self.member, self._where, self._limits.heap)

    @property
    def sources(self) -> list[str]:
        """Names of the source files in the scene, as frames name them."""
        return [name.removeprefix("source/") for name in self._infos if name.startswith("source/")]

    def source(self, file: str) -> str:
        """The text of a source file in the encoding that it declares, "" if the scene does not have it or
        it is over the limit."""
        return decode_source(self.source_bytes(file))

    def source_bytes(self, file: str) -> bytes:
        """A source file as it is, b"" if the scene does not have it or it is over the limit."""
        name = f"source/{file}"
        info = self._infos.get(name)
        if info is None or info.file_size > self._limits.source_bytes:
            return b""
        return self.member(name)

    # ------------------------------------------------------------ members

    def member(self, name: str) -> bytes:
        """The bytes of one member. Raises SceneError if it is missing or damaged."""
        info = self._infos.get(name)
        if info is None:
            raise SceneError(f"the scene has no {name}", where=self._where)
        try:
            with self._archive.open(info) as file:
                data = file.read(info.file_size + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            RuntimeError,
            ValueError,
            NotImplementedError,
        ) as error:
            raise self._broken(name, error) from error
        if len(data) != info.file_size:
            raise self._broken(name, f"{len(data)} bytes instead of {info.file_size}")
        return data

    def _json(self, name: str, kind: Any, default: T) -> T:
        if name not in self._infos:
            return default
        data = self.member(name)
        objection = self._spending.take(data)
        if objection:
            raise self._broken(name, objection)
        try:
            value: T = msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._broken(name, error) from error
        if depth_over(value, self._limits.json_depth):
            raise self._broken(name, f"nested deeper than {self._limits.json_depth} levels")
        return value

    def _manifest(self) -> dict[str, Any]:
        if "manifest.json" not in self._infos:
            raise SceneError("the archive has no manifest.json", where=self._where, hint=_HINT)
        manifest: dict[str, Any] = self._json("manifest.json", dict[str, Any], {})
        schema = manifest.get("schema")
        if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
            raise SceneError("manifest.json does not name its schema", where=self._where, hint=_HINT)
        if schema > _KNOWN_SCHEMA:
            raise SceneError(
                f"the scene has schema {schema}, this Relive reads up to {_KNOWN_SCHEMA}",
                where=self._where,
                hint="install a newer Relive",
            )
        manifest = {**_DEFAULTS, **manifest}
        for name, kind in _MANIFEST_TYPES:
            if not isinstance(manifest.get(name), kind):
                raise SceneError(f"manifest.json: {name} is not of type {kind.__name__}", where=self._where)
        for name in ("invocation_id", "trace_id"):
            # they are shown as parts of commands that people copy
            if manifest[name] and not _ID.fullmatch(manifest[name]):
                raise SceneError(f"manifest.json: {name} is not an id", where=self._where)
        if not 0 <= manifest["captured_ns"] < _MAX_TIME_NS:
            raise SceneError("manifest.json: captured_ns is out of range", where=self._where)
        return manifest

    def _bare_exception(self) -> ExceptionView:
        error = self.manifest["error"]
        name = str(error.get("type", "Unknown"))
        module, _, short = name.rpartition(".")
        return ExceptionView(type=short, module=module, message=str(error.get("message", "")))

    def _check_depth(self, views: list[ExceptionView]) -> None:
        limits = self._limits
        level, depth, count, frames = list(views), 0, 0, 0
        while level:
            depth += 1
            count += len(level)
            frames += sum(len(view.frames) for view in level)
            if depth > limits.depth:
                raise self._broken("exception.json", f"groups nested deeper than {limits.depth}")
            if count > limits.exceptions:
                raise self._broken("exception.json", f"more than {limits.exceptions} exceptions")
            if frames > limits.frames:
                raise self._broken("exception.json", f"more than {limits.frames} frames")
            for view in level:
                trees = [node for _, node in view.attributes]
                trees.extend(node for frame in view.frames for _, node in frame.locals)
                for tree in trees:
                    self._check_tree(tree)
            level = [member for view in level for member in (*view.group, *view.chain)]

    def _check_tree(self, tree: ValueNode) -> None:
        level, depth = [tree], 0
        while level:
            depth += 1
            if depth > self._limits.depth:
                raise self._broken("exception.json", f"a value nested deeper than {self._limits.depth}")
            level = [child for node in level for _, child in node.children]

    def _broken(self, name: str, error: object) -> SceneError:
        return SceneError(f"{name} cannot be read: {error}", where=self._where, hint=_HINT)


def own_frame(view: ExceptionView) -> FrameView | None:
    """The innermost frame of the user's own, else the innermost one."""
    frames = [frame for frame in view.frames if frame.in_app] or view.frames
    return frames[-1] if frames else None


def read_scene(source: str | os.PathLike[str] | bytes, limits: Limits | None = None) -> SceneFile:
    """Open a scene from a file or from bytes. Raises SceneError in words that name the trouble; never
    anything else for bad content. A missing file is a SceneError too."""
    limits = limits or Limits()
    where = "scene" if isinstance(source, bytes) else os.fspath(source)
    data = source if isinstance(source, bytes) else _read_file(where, limits)
    if len(data) > limits.archive_bytes:
        raise SceneError(f"{len(data)} bytes are over the limit of {limits.archive_bytes}", where=where)
    check_directory(data, limits, where)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise SceneError(f"it is not a scene archive: {error}", where=where, hint=_HINT) from error
    except Exception as error:  # zipfile lets struct.error, KeyError and others through on hostile headers
        name = type(error).__name__
        raise SceneError(f"it is not a scene archive: {name}", where=where, hint=_HINT) from error
    check_members(infos, limits, where)
    return SceneFile(data, archive, limits, where)


def _read_file(where: str, limits: Limits) -> bytes:
    try:
        with open(where, "rb") as file:
            return file.read(limits.archive_bytes + 1)
    except OSError as error:
        raise SceneError(f"it cannot be opened: {error.strerror}", where=where) from error


def _from_fields(kind: type[T], row: Any) -> T:
    """A Struct that goes as an array on the wire from an object with its fields' names."""
    if not isinstance(row, dict):
        raise msgspec.ValidationError(f"expected an object, got {type(row).__name__}")
    fields = msgspec.structs.fields(kind)  # type: ignore[arg-type]
    values = {}
    for field in fields:
        if field.name in row:
            values[field.name] = msgspec.convert(row[field.name], field.type)
        elif field.required:
            raise msgspec.ValidationError(f"{field.name} is missing")
    return kind(**values)
