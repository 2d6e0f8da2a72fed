"""All that Relive ever asks of a scene from elsewhere, and scenes that are changed in telling places."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec
from relive_base.wire.inspection import (
    Children,
    Evaluate,
    FrameList,
    Frames,
    Raised,
    ScopeList,
    Scopes,
    Source,
    StackList,
    Stacks,
    Values,
)
from relive_capture.explore.parts import failure_lines, to_json
from relive_capture.explore.postmortem import SceneInspector
from relive_capture.explore.scene import read_scene
from relive_tui.models.failure.acts import ActsState, acts_line
from relive_tui.models.failure.completeness import completeness_line, detail_lines
from relive_tui.models.failure.event import event_lines
from relive_tui.models.failure.frames import FrameRows
from relive_tui.models.failure.page import FailureModel, headline, preview_of
from relive_tui.models.failure.stacks import StackRows
from relive_tui.models.failure.values import ValueRows, open_what_fits
from relive_tui.models.lists.logs import call_row, log_line
from relive_views.scenes.reading import scene_view

__all__ = ["look_at_everything", "mutated", "zipped"]

_UNSAFE = [chr(code) for code in (*range(8), *range(14, 32), 0x7F, *range(0x80, 0xA0), 0x202E)]


def look_at_everything(data: bytes) -> None:
    """Open a scene and show it in every way. Raises SceneError where it is refused; anything else that it
    raises is a fault of ours."""
    scene = read_scene(data)
    for name in scene.names:
        scene.member(name)
    for line in failure_lines(scene, 100):
        assert not any(char in line.text for char in _UNSAFE), line
    msgspec.json.encode(to_json(scene))
    for name in (
        "threads",
        "tasks",
        "background",
        "spans",
        "profile",
        "environment",
        "result",
        "healthy_event",
    ):
        getattr(scene, name)
    for name in scene.sources[:20]:
        scene.source(name)
    _screen(data)
    _editor(data)


def _editor(data: bytes) -> None:
    inspector = SceneInspector(read_scene(data))
    stacks = inspector.answer(Stacks())
    assert isinstance(stacks, StackList)
    for stack in range(min(len(stacks.names), 10)):
        inspector.answer(Raised(stack))
        frames = inspector.answer(Frames(stack, count=10))
        for frame in frames.frames if isinstance(frames, FrameList) else []:
            inspector.answer(Source(frame.file))
            inspector.answer(Evaluate(frame.number, "event['a'][0].b == len(x)"))
            scopes = inspector.answer(Scopes(frame.number))
            for scope in scopes.scopes if isinstance(scopes, ScopeList) else []:
                values = inspector.answer(Children(scope.reference))
                for value in values.values[:20] if isinstance(values, Values) else []:
                    assert not any(char in value.text for char in _UNSAFE), value
                    inspector.answer(Children(value.reference, "indexed", 1, 5))


def _screen(data: bytes) -> None:
    view = scene_view(read_scene(data))
    model = FailureModel(view)
    texts = [*headline(model), completeness_line(view), *detail_lines(view, 80), *event_lines(view.event)]
    texts += [acts_line(view, ActsState(), 1)[0], *(log_line(call_row(call)) for call in view.calls)]
    preview_of(view)
    for rows in (FrameRows(model), StackRows(view)):
        texts += [rows.line(index, 80, False) for index in range(min(len(rows), 50))]
    for frame in model.frames[:20]:
        values = ValueRows(
            frame.locals, open_what_fits(frame.locals, 50, [frame.locals[0][0]] if frame.locals else ())
        )
        texts += [values.line(index, 80, False) for index in range(min(len(values), 50))]
    for line in texts:
        for text, _ in line:
            assert not any(char in text for char in _UNSAFE), line


# ---------------------------------------------------------------- changed scenes

_ODD: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, -(2**63), 10**30, 1e308, -0.0, "", "x", "\x1b[2J\x9b31m", "‮evil",
    "../../etc/passwd", "\ud800", "a" * 5_000, "\n" * 200, [], {}, [[]], {"": {}}, [None, 1, "x", {}],
    {"type": "t", "children": [["a", {"type": "b"}]]}, {"type": "E", "frames": [{"file": "f", "line": -1}]},
]  # fmt: skip


def mutated(scene: bytes, rng: random.Random) -> bytes:
    """The scene with a few changes: in a member's JSON, in its bytes, of a member, or of the zip."""
    with zipfile.ZipFile(io.BytesIO(scene)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        kind = rng.random()
        name = rng.choice(list(members))
        if kind < 0.85 and name.endswith((".json", ".jsonl", ".bin")):
            members[name] = _changed_json(members[name], rng)
        elif kind < 0.95:
            members[name] = _changed_bytes(members[name], rng)
        elif len(members) > 1:
            other = rng.choice(list(members))
            members[name] = members.pop(other)
    data = zipped(members)
    return _changed_bytes(data, rng) if rng.random() < 0.05 else data


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _changed_json(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n") if rng.random() < 0.5 else [data]
    index = rng.randrange(len(lines))
    try:
        value = json.loads(lines[index])
    except (ValueError, RecursionError):
        return _changed_bytes(data, rng)
    for _ in range(rng.randint(1, 3)):
        value = _changed_value(value, rng)
    try:
        lines[index] = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data
    return b"\n".join(lines)


def _changed_value(value: Any, rng: random.Random) -> Any:
    """A tree with something else somewhere in it."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return _other(value, rng)
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    how = rng.random()
    if how < 0.75:
        changed = _changed_value(value[key], rng)
        if isinstance(value, dict) or key < len(value):  # a part of it may be the same list
            value[key] = changed
    elif how < 0.8:
        del value[key]
    elif how < 0.9 and isinstance(value, list):
        value.extend([value[key]] * rng.choice([1, 3, 50]))
    elif isinstance(value, dict):
        value[rng.choice([*list(value), "x", "\x1b[0m"])] = _other(value[key], rng)
    return value


def _other(value: Any, rng: random.Random) -> Any:
    if _is_large(value):
        return rng.choice(_ODD)
    same = [odd for odd in _ODD if type(odd) is type(value)]
    if same and rng.random() < 0.7:
        return rng.choice(same)
    make: list[Callable[[], Any]] = [
        lambda: rng.choice(_ODD),
        lambda: _nested(value, rng.choice([2, 40, 500])),
        lambda: rng.randint(-(2**40), 2**40),
        lambda: [value] * rng.choice([1, 2, 300]),
    ]
    return rng.choice(make)()


def _is_large(value: Any) -> bool:
    try:
        return len(repr(value)) > 2_000
    except RecursionError:
        return True


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value] if depth % 2 else {"type": "t", "children": [["x", value]]}
    return value


def _changed_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        how = rng.randrange(4)
        if how == 0:
            changed[at] = rng.randrange(256)
        elif how == 1:
            del changed[at : at + rng.randint(1, 20)]
        elif how == 2:
            changed[at:at] = rng.choice(
                [b"\xff\xfe", b"\x00", b"\x1b[2J", b"[" * 50, b'{"', b"9" * 400, b"\\ud800"]
            )
        else:
            del changed[at:]
    return bytes(changed)
