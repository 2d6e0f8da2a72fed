"""The corpus of failing functions in tests/acceptance/failures: what each says of itself, one run of them all
on a server, and what is wrong with a scene.

A function's docstring is TOML: `event` (or `raw`, JSON text that is none) is sent to it; `kind`, `status`,
`error`, `says` (part of the message) and `chain` (types) are what came of it; `locals` are texts that the
root frame's locals must contain; `missing` names what such a scene cannot have. The root line is the one that
ends with `# fails here`, or the function that `where` names ("": there is no frame).
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import shutil
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relive.session import Session
from relive_base.errors import ReliveError
from relive_base.parts import Why
from relive_base.values import render
from relive_capture.explore.scene import SceneFile, own_frame, read_scene
from relive_capture.model import ExceptionView, FrameView
from relive_cli import Relive, relive_home, toml
from relive_platform.api import control_pb2 as pb
from relive_platform.registry.packages.dependencies import Dependencies, Requirements
from relive_platform.replay import ReplayOptions, replay
from relive_runtime.worker.faults import can_stand_still

FOLDER = Path(__file__).resolve().parents[1] / "acceptance" / "failures"
LIBRARIES = ("numpy", "pandas", "pydantic", "requests")
AT_ONCE = 4
_MARK = re.compile(r"# fails here(?:: (\w+))?\s*$")
_CORE = ("event", "context", "exception", "source", "threads", "tasks", "environment", "profile")
_LOST = {"threads": "ended", "tasks": "ended", "environment": "ended", "profile": "went with"}
_LOST_BUT_FRAMES = {name: _LOST[name] for name in ("tasks", "environment", "profile")}
_NO_LOCALS = dict.fromkeys(("exception", "threads"), "without locals")
_MISSING: dict[str, dict[str, str]] = {
    # the process was stopped and read from outside, with its locals
    "outside": _LOST_BUT_FRAMES,
    # the process stopped where it crashed; without the C extension Python's fault handler wrote the frames
    "crash": _LOST_BUT_FRAMES if can_stand_still() else {**_LOST, **_NO_LOCALS},
    # nothing was left to read
    "gone": {**_LOST, "exception": "ended", "source": "no frames"},
    # none of the function's own code is on the stack
    "no frames": {"source": "no frame"},
    "anything": dict.fromkeys(_CORE, ""),
}


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One function of the corpus."""

    name: str
    module: str
    line: int  # of the root frame; 0: any line of `where`
    where: str | None = None
    event: Any = None
    raw: str = ""
    kind: list[str] = field(default_factory=lambda: ["exception"])
    status: list[str] = field(default_factory=lambda: ["error"])
    error: list[str]
    says: str = ""
    locals: dict[str, str] = field(default_factory=dict)
    chain: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    notes: str = ""
    logs: str = ""
    result: str = ""
    background: str = ""
    thread: dict[str, str] = field(default_factory=dict)
    task: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    deterministic: bool = True
    timeout_s: float = 30.0
    memory_mb: int = 512

    @property
    def body(self) -> bytes:
        return self.raw.encode() if self.raw else json.dumps(self.event).encode()

    @property
    def has_frames(self) -> bool:
        return self.where != ""


@dataclass
class Outcome:
    """One function's run: what the caller was told, its scene, and what of the expectation is not met."""

    expected: Expectation
    status: str
    invocation_id: str
    seconds: float
    scene: SceneFile | None = None
    problems: list[str] = field(default_factory=list)
    has_root: bool = False
    has_locals: bool = False
    has_event: bool = False


def corpus(folder: Path = FOLDER) -> list[Expectation]:
    """Every function of the corpus, by module and line."""
    return [found for path in sorted(folder.glob("*.py")) for found in _of_module(path)]


def _of_module(path: Path) -> Iterator[Expectation]:
    text = path.read_text()
    marks: dict[str, int] = {}
    inside: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if mark := _MARK.search(line):
            marks.update({mark[1]: number}) if mark[1] else inside.append(number)
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        said = tomllib.loads(ast.get_docstring(node) or "")
        own = [number for number in inside if node.lineno <= number <= (node.end_lineno or 0)]
        line = marks.get(node.name, own[0] if own else 0)
        if not line and "where" not in said:
            raise ValueError(f"{path.name}: {node.name} does not say where it fails")
        missing = said.get("missing", {})
        said["missing"] = _MISSING[missing] if isinstance(missing, str) else missing
        for key in ("kind", "status", "error"):
            if isinstance(said.get(key), str):
                said[key] = [said[key]]
        yield Expectation(name=node.name, module=path.stem, line=line, **said)


# ---------------------------------------------------------------- running


@contextmanager
def serving(functions: list[Expectation]) -> Iterator[Relive]:
    """A server with the corpus in service, and the libraries of this interpreter as its dependencies."""
    with relive_home() as home:
        home.environment = {"RELIVE_WAITING_WORKERS": "0", "RELIVE_FROZEN_WORKERS": "0"}
        folder = home.home.parent / "corpus"
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "requirements.txt").write_text("\n".join(LIBRARIES) + "\n")
        lines = {
            one.name: f'handler = "{one.module}:{one.name}"\ntimeout_s = {one.timeout_s}\n'
            f"memory_mb = {one.memory_mb}\nmax_workers = 1"
            for one in functions
        }
        (folder / "relive.toml").write_text(toml(lines, "corpus"))
        link_libraries(home.home / "deps", folder)
        with home.serving():
            home.run("deploy", str(folder))
            yield home


def link_libraries(root: Path, folder: Path, libraries: tuple[str, ...] = LIBRARIES) -> None:
    """Put what this interpreter has of the libraries where a deploy looks for them, instead of a download."""
    needs = Requirements.of(folder, [], "")
    target = root / Dependencies(root, python=sys.executable).lock_hash(needs)
    for name in _closure(libraries):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or "tests" in file.parts or not source.is_file():
                continue
            place = target / file
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, place)
            except OSError:
                shutil.copy(source, place)


def _closure(names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    pending = list(names)
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system or version
        if name not in found:
            found.append(name)
            plain = [need for need in needs if "extra ==" not in need]
            pending += [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in plain]
    return found


def run_all(home: Relive, functions: list[Expectation]) -> list[Outcome]:
    """Send each its event, a few at a time, and judge its scene."""
    session = Session.create(home.home, "", {})
    control = session.control()
    slots = threading.Semaphore(AT_ONCE)

    def one(expected: Expectation) -> Outcome:
        with slots:
            began = time.monotonic()
            answer = control.invoke(pb.InvokeRequest(function=expected.name, event=expected.body))
            return Outcome(expected, answer.status, answer.invocation_id, time.monotonic() - began)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(one, functions))
    for outcome in outcomes:
        path = home.home / "scenes" / f"{outcome.invocation_id}-1.scene"
        try:
            home.eventually(path.is_file, 120.0)
            outcome.scene = read_scene(path)
        except AssertionError:
            outcome.problems.append(f"status {outcome.status}: no scene")
            continue
        outcome.problems += list(judge(outcome))
    return outcomes


def repeats(home: Relive, outcome: Outcome) -> str:
    """ "" where a replay of the failure is the same failure, else what came of it."""
    assert outcome.scene is not None
    try:
        found = replay(outcome.scene, home.home, ReplayOptions())
    except ReliveError as error:
        return f"cannot be replayed: {error}"
    last = found.runs[-1]
    return "" if found.outcome == "same" else f"{found.outcome}: {last.error_type}: {last.message[:200]}"


# ---------------------------------------------------------------- judging


def judge(outcome: Outcome) -> Iterator[str]:
    """What of the expectation the scene does not meet; notes what it has."""
    expected, scene = outcome.expected, outcome.scene
    assert scene is not None
    error, root = scene.manifest["error"], scene.exceptions[0]
    if outcome.status not in expected.status:
        yield f"status {outcome.status}"
    if scene.manifest["kind"] not in expected.kind:
        yield f"kind {scene.manifest['kind']}"
    if not error["type"].endswith(tuple(expected.error)):
        yield f"error {error['type']}"
    if expected.says not in error["message"]:
        yield f"message {error['message']!r}"
    yield from _place(outcome, own_frame(root), scene.parts["exception"].because(Why.NO_LOCALS) is not None)
    yield from _event(outcome, scene)
    yield from _more(expected, scene, root)
    yield from _parts(expected, scene)


def _place(outcome: Outcome, frame: FrameView | None, without_locals: bool) -> Iterator[str]:
    expected = outcome.expected
    if not expected.has_frames:
        return
    if frame is None:
        yield "no frame"
        return
    function = frame.function.rpartition(".")[2]
    hit = frame.line == expected.line if expected.line else function == expected.where
    outcome.has_root = frame.file == f"{expected.module}.py" and hit
    if not outcome.has_root:
        yield f"root {frame.file}:{frame.line} {frame.function} instead of line {expected.line}"
    shown = {name: f"{node.type} {render(node, 400)} length {node.length}" for name, node in frame.locals}
    outcome.has_locals = bool(shown)
    for name, text in expected.locals.items():
        if text not in shown.get(name, "") and not without_locals:
            yield f"local {name} is {shown.get(name)!r}"


def _event(outcome: Outcome, scene: SceneFile) -> Iterator[str]:
    outcome.has_event = scene.event == outcome.expected.body or (
        not outcome.expected.raw and json.loads(scene.event or b"null") == outcome.expected.event
    )
    if not outcome.has_event:
        yield f"event {scene.event[:100]!r}"


def _more(expected: Expectation, scene: SceneFile, root: ExceptionView) -> Iterator[str]:
    types = [view.type for view in scene.exceptions]
    if expected.chain and not all(map(re.fullmatch, expected.chain, types)):
        yield f"chain {types}"
    if expected.members and [view.type for view in root.group] != expected.members:
        yield f"group {[view.type for view in root.group]}"
    if expected.notes and expected.notes not in root.notes:
        yield f"notes {root.notes}"
    if expected.logs and expected.logs not in [line.body for line in scene.logs]:
        yield f"logs {[line.body for line in scene.logs]}"
    if expected.result and (scene.result is None or expected.result not in scene.result.path):
        yield f"result {scene.result}"
    if expected.background not in [view.exceptions[0].type for view in scene.background] + [""]:
        yield f"background {scene.background}"
    for wanted, found in ((expected.thread, scene.threads), (expected.task, scene.tasks)):
        frames = [frame for one in found for frame in one.frames if one.name == wanted.get("name")]
        values = [node for frame in frames for name, node in frame.locals if name == wanted.get("local")]
        texts = [render(node) for node in values]
        if wanted and wanted["text"] not in texts:
            yield f"{wanted['name']}: {texts}, of {[one.name for one in found]}"
    members = [name for name in scene.names if not name.startswith("source/")]
    if expected.secret and any(expected.secret.encode() in scene.member(name) for name in members):
        yield "the secret is in the scene"


def _parts(expected: Expectation, scene: SceneFile) -> Iterator[str]:
    for name, part in scene.parts.items():
        state = part.state
        if state != "ok" and not part.reason:
            yield f"{name} is {state} without a reason"
        if state in ("missing", "partial") and name in _CORE:
            if name == "exception" and "CPU limit" in part.reason:
                continue  # on a busy machine the outermost frames may be without locals
            allowed = expected.missing.get(name)
            if allowed is None or allowed not in part.reason:
                yield f"{name} is {state}: {part.reason}"
