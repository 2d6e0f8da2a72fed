"""What is to be run: which code, on which dependencies, with which event and script."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.terminal import one_line
from relive_base.wire.messages import FunctionSpec, HttpRequest
from relive_capture.explore.parts import outside_facts
from relive_capture.explore.scene import SceneFile
from relive_capture.outside_format import OutsideFacts
from relive_capture.recording_format import GivenAnswer, ReplayInput, ReplayNotes, Seeds, WatchedPlace
from relive_runtime.adapters.outside.scripts import HANDLER as SCRIPT
from relive_runtime.adapters.table import BESIDE, SERVICE, has_python

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.engine.workers.zygote import Confinement, ZygoteKey
from relive_platform.registry.application import MANIFEST, Application, FunctionConfig, find_manifest, load
from relive_platform.registry.model import FunctionVersion
from relive_platform.registry.needs import parts_of, requirements_of
from relive_platform.registry.packages.assembling import assemble
from relive_platform.registry.packages.dependencies import Dependencies, Requirements
from relive_platform.registry.storage import VersionTable
from relive_platform.replay.environments import environment_for
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.handlers import is_inside
from relive_platform.replay.pacing import about_time
from relive_platform.replay.repeatable import check_repeatable

__all__ = ["Plan", "make_plan", "watching"]

_CALLS: Final = 2_000  # ten times what a worker keeps
_SCRIPT_BYTES: Final = 32 * 1_048_576
_LOCK_HASH: Final = re.compile(r"(?:[0-9a-f]{16})?")
_MEMORY_MB: Final = 1_024
_TIMEOUT_S: Final = 900.0
_ROOM_MB: Final = 1_024
_TRAIL_MB: Final = 128
_ISOLATED: Final = 1
_CODE: Final = "run it on your working copy with --code PATH"
CLOCK_DISTRIBUTION: Final = "time-machine"


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything a worker needs. `code`: what is run, in words; `notes`: what the reader should know."""

    spec: FunctionSpec
    script: ReplayInput
    zygote: ZygoteKey
    request: InvokeRequest
    code: str
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Around:
    """What counts for a scene from outside of Relive: `facts` None if it is from within."""

    scene: SceneFile
    home: Path
    python: Path | None
    trust: bool
    notes: list[str]
    facts: OutsideFacts | None = None

    def __post_init__(self) -> None:
        self.facts = outside_facts(self.scene)
        if self.python is not None and self.facts is None:
            raise ReplayError(
                "--python is for what was recorded outside of Relive: a function has its own packages",
                hint=_CODE,
            )

    def packages(self) -> str:
        """The folder of packages like those it ran with. Raises ReplayError, DependencyError."""
        if self.facts is None:
            return ""
        made = environment_for(self.facts, self.home, self.python, trust=self.trust)
        self.notes += made.notes
        return made.folder


@dataclass(slots=True)
class _Chosen:
    spec: FunctionSpec
    deps_dir: str
    preload: tuple[str, ...]
    code: str


def make_plan(
    scene: SceneFile,
    home: Path,
    *,
    code: Path | None,
    live: bool,
    scratch: Path,
    trust: bool = False,
    travel: bool = False,
    answers: Sequence[GivenAnswer] = (),
    python: Path | None = None,
    elsewhere: bool = False,
) -> Plan:
    """`scratch`: a folder for sources that are taken from the archive, which happens with `trust` only.
    `travel`: a run that can be gone back in. `answers`: for calls that the recording has no answer to.
    `python`: whose packages it gets, if it was recorded outside of Relive. `elsewhere`: the scene is
    somebody else's, and runs isolated whatever the function's own configuration says.
    Raises ReplayError, ConfigError, DependencyError."""
    check_repeatable(scene)
    notes: list[str] = []
    recorded = scene.replay_notes or ReplayNotes(seeds=Seeds(wall_ns=_started_ns(scene)))
    around = Around(scene, home, python, trust, notes)
    if code is not None:
        chosen = _working_copy(scene, recorded, home, code, scratch, around)
    else:
        chosen = _version(scene, recorded, home) or _from_archive(scene, recorded, home, scratch, around)
    if elsewhere or around.facts is not None:
        tier = max(chosen.spec.isolation_tier, _ISOLATED)
        chosen.spec = msgspec.structs.replace(chosen.spec, isolation_tier=tier)
    if not has_python(chosen.spec.kind):
        # Nothing of the dependencies is imported by a zygote: a plain one can cut its worker off the network.
        chosen.preload, chosen.deps_dir = (), ""
        notes.append("calls reach the network" if live else "the network is cut off: nothing happens twice")
    _note_parts(scene, recorded, notes)
    script = ReplayInput(
        recorded_calls=scene.recorded_calls,
        seeds=recorded.seeds,
        init_seeds=recorded.init_seeds,
        live=live,
        paced=travel or about_time(scene),
        travel=travel,
        timeout_s=chosen.spec.timeout_s,
        out_of_time=about_time(scene),
        answers=list(answers),
        init_files=recorded.init_files,
        files=recorded.files,
        hidden=recorded.hidden,
        variables={
            name: value
            for name, value in recorded.variables.items()
            if code is None or name not in chosen.spec.environment
        },
        room_mb=_ROOM_MB if travel and scene.manifest["kind"] != "memory" else 0,
    )
    spec = msgspec.structs.replace(
        chosen.spec,
        version=int(scene.manifest["version"]),
        profile="off",
        replay=_encoded(script),
    )
    if travel:
        _check_travel(scene, spec)
        if spec.kind == "request":
            notes.append(
                "what the application runs in AnyIO's threads ran on the main thread, to be gone back in"
            )
        # Its own time limit counts on the clock of the run; its trail and its checkpoints need memory, too.
        spec = msgspec.structs.replace(
            spec,
            timeout_s=_TIMEOUT_S,
            memory_mb=spec.memory_mb + (_TRAIL_MB + script.room_mb if script.room_mb else 0),
        )
    return Plan(
        spec=spec,
        script=script,
        zygote=ZygoteKey(
            sys.executable,
            chosen.deps_dir,
            chosen.preload,
            _hash_seed(recorded),
            confined=Confinement.of(spec, chosen.deps_dir),
            tier=spec.isolation_tier,
        ),
        request=_request(scene, recorded, spec),
        code=chosen.code,
        notes=notes,
    )


def watching(plan: Plan, places: list[WatchedPlace]) -> Plan:
    """The same, in which the worker looks what becomes of these places."""
    script = msgspec.structs.replace(plan.script, watched=places)
    return replace(plan, spec=msgspec.structs.replace(plan.spec, replay=_encoded(script)), script=script)


def _started_ns(scene: SceneFile) -> int:
    times = scene.manifest.get("times")
    found = times.get("started_ns") if isinstance(times, dict) else 0
    return found if isinstance(found, int) else 0


# ---------------------------------------------------------------- which code


def _version(scene: SceneFile, recorded: ReplayNotes, home: Path) -> _Chosen | None:
    """The very version, or another one with the same code; None if this home has neither."""
    code_hash = str(scene.manifest.get("code_hash", ""))
    found = _registered(home, str(scene.manifest["function"]), int(scene.manifest["version"]), code_hash)
    if found is None or not Path(found.code_dir).is_dir():
        return None
    if found.deps_hash and not Path(found.deps_dir).is_dir():
        raise ReplayError(
            f"the dependencies of {found.name} version {found.version} are no longer there",
            where=found.deps_dir,
            hint=f"deploy it again, or {_CODE}",
        )
    if recorded.dependencies and recorded.dependencies != found.deps_hash:
        raise ReplayError(
            f"the failure ran on the dependency set {recorded.dependencies}, {found.name} version"
            f" {found.version} of this home has {found.deps_hash or 'none'}",
            hint=_CODE,
        )
    return _Chosen(found.spec, found.deps_dir, tuple(found.preload), f"{found.name} version {found.version}")


def _registered(home: Path, name: str, version: int, code_hash: str) -> FunctionVersion | None:
    if not (home / "registry.db").is_file():
        return None
    table = VersionTable(home)
    try:
        found = table.get(name, version) if version else None
        if found is not None and code_hash in ("", found.spec.code_hash):
            return found
        return table.with_code(code_hash) if code_hash else None
    finally:
        table.close()


def _working_copy(
    scene: SceneFile, recorded: ReplayNotes, home: Path, code: Path, scratch: Path, around: Around
) -> _Chosen:
    """`code`: an application with a relive.toml, or the folder of the function's source."""
    name = str(scene.manifest["function"])
    root = find_manifest(code)
    if around.facts is not None:
        spec = _like_recorded(scene, recorded, home, code)
        folder = around.packages()
        spec = msgspec.structs.replace(spec, dependencies_dir=folder)
        return _Chosen(spec, folder, (), f"the working copy in {code}")
    if root is not None and root.is_file():
        application = load(root)
        config = application.functions.get(name)
        if config is None:
            known = ", ".join(application.functions)
            raise ReplayError(f"it has no function {name!r}", where=str(root), hint=f"it has {known}")
        spec = FunctionSpec(
            name=name, version=0, handler=config.handler, kind=config.kind,
            source=_whole_source(application, config, scratch),
            app=application.name, environment=config.environment, timeout_s=config.timeout_s,
            memory_mb=config.memory_mb, output_limit_bytes=config.output_limit_bytes,
            result_limit_bytes=config.result_limit_bytes, capture=config.capture,
            isolation_tier=config.isolation_tier, redact_keys=list(config.redact_keys),
            in_app=list(config.in_app), command=list(config.command), runtime=config.runtime,
        )  # fmt: skip
        needs = requirements_of(config, application)
    else:
        spec = _like_recorded(scene, recorded, home, code)
        needs = Requirements.of(Path(spec.source), (), str(code))
    installed = Dependencies(home / "deps").install(needs)
    if installed.lock_hash != recorded.dependencies and scene.replay_notes is not None:
        around.notes.append("the working copy has other dependencies than the version that failed")
    spec = msgspec.structs.replace(spec, dependencies_dir=installed.folder)
    return _Chosen(spec, installed.folder, installed.preload, f"the working copy in {code}")


def _whole_source(application: Application, config: FunctionConfig, scratch: Path) -> str:
    """The folder of the source itself; where a version is made of more than it, what a deploy would make."""
    if not config.code and not config.include and not config.layers and Path(config.source).is_dir():
        return config.source
    target = scratch / "working-copy"
    assemble(parts_of(application, config), target)
    return str(target)


def _like_recorded(scene: SceneFile, recorded: ReplayNotes, home: Path, code: Path) -> FunctionSpec:
    """A folder without a relive.toml: handler and environment are those of the version that failed."""
    name, version = str(scene.manifest["function"]), int(scene.manifest["version"])
    if not code.is_dir():
        raise ReplayError("there is no such folder", where=str(code), hint=f"name a folder, or a {MANIFEST}")
    found = _registered(home, name, version, "")
    if found is not None:
        return msgspec.structs.replace(found.spec, source=str(code.absolute()))
    if not recorded.handler:
        raise ReplayError(
            "it has no relive.toml, and the scene does not say which handler failed",
            where=str(code),
            hint=f"name the folder that has the {MANIFEST}",
        )
    if not is_inside(code.absolute(), recorded.handler, recorded.kind):
        raise ReplayError(
            f"the handler {one_line(recorded.handler, 100)!r} that the scene names is not in that folder",
            where=str(code),
            hint=f"name the folder that has it, or one with a {MANIFEST}",
        )
    return FunctionSpec(
        name=name,
        version=version,
        handler=recorded.handler,
        kind=recorded.kind,
        source=str(code.absolute()),
        timeout_s=_within(recorded.timeout_s, 3.0, _TIMEOUT_S),
        memory_mb=int(_within(recorded.memory_mb, 256, _MEMORY_MB)),
    )


def _from_archive(
    scene: SceneFile, recorded: ReplayNotes, home: Path, scratch: Path, around: Around
) -> _Chosen:
    """From the sources in the archive, if the handler's module is among them and the user trusts it.
    What the archive says of its own isolation does not count."""
    name, version = str(scene.manifest["function"]), int(scene.manifest["version"])
    if not has_python(recorded.kind):
        raise ReplayError(
            f"{name} is a program (kind {recorded.kind!r}), which the scene does not have", hint=_CODE
        )
    notes = around.notes
    files = [file for file in scene.sources if not file.startswith(("/", "<"))]
    if not files or not _names_one_of(recorded.handler, files):
        code_hash = str(scene.manifest.get("code_hash", ""))[:12]
        raise ReplayError(
            f"this home has no {name} version {version} with the code that failed"
            f"{f' ({code_hash})' if code_hash else ''}, and the scene lacks some of its sources",
            hint=_CODE,
        )
    if not around.trust:
        raise ReplayError(
            f"this home has no {name} version {version} with the code that failed; the scene has its sources,"
            " and whoever made the scene decides what they do",
            hint=f"{_CODE}; or run them with --trust",
        )
    if "source" in scene.redactions or any(place.startswith("source") for place in scene.redactions):
        notes.append("the sources in the archive were redacted")
    source = scratch / "source"
    _write_sources(scene, files, source)
    if around.facts is not None:
        recorded = msgspec.structs.replace(recorded, dependencies="")
    if not _LOCK_HASH.fullmatch(recorded.dependencies):
        raise ReplayError("the scene's dependency set has no name that one can have", hint=_CODE)
    deps_dir = home / "deps" / recorded.dependencies if recorded.dependencies else None
    if deps_dir is not None and not deps_dir.is_dir():
        raise ReplayError(
            f"the dependency set {recorded.dependencies} is not in this home", where=str(home), hint=_CODE
        )
    spec = FunctionSpec(
        name=name,
        version=version,
        handler=recorded.handler,
        kind=recorded.kind,
        source=str(source),
        code_hash=recorded.code_hash,
        timeout_s=_within(recorded.timeout_s, 3.0, _TIMEOUT_S),
        memory_mb=int(_within(recorded.memory_mb, 256, _MEMORY_MB)),
    )
    folder = str(deps_dir or "")
    if around.facts is not None:
        folder = around.packages()
        spec = msgspec.structs.replace(spec, dependencies_dir=folder)
    if around.facts is None or around.facts.source_left_out:
        notes.append(
            f"{len(files)} source files are all there is of the code; what they import may be missing"
        )
    return _Chosen(spec, folder, (), "the sources in the archive")


def _write_sources(scene: SceneFile, files: list[str], source: Path) -> None:
    """Raises ReplayError."""
    for file in files:
        target = source / file
        if not target.resolve().is_relative_to(source.resolve()):
            raise ReplayError("a source file of the scene leads out of its folder", where=file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(scene.source_bytes(file))


def _names_one_of(handler: str, files: list[str]) -> bool:
    """Whether the handler is in one of the archive's own source files."""
    if handler == SCRIPT:
        return True
    module = handler.rpartition(":" if ":" in handler else ".")[0].replace(".", "/")
    return bool({f"{module}.py", f"{module}/__init__.py"} & set(files))


def _within(value: float, default: float, most: float) -> float:
    return min(value, most) if value > 0 else default


# ---------------------------------------------------------------- what it is given


def _hash_seed(recorded: ReplayNotes) -> int:
    return recorded.hash_seed if 0 < recorded.hash_seed < 2**32 else 0


def _note_parts(scene: SceneFile, recorded: ReplayNotes, notes: list[str]) -> None:
    here = ".".join(map(str, sys.version_info[:3]))
    python = str(scene.manifest.get("python") or recorded.python)
    if python and python.rpartition(".")[0] != here.rpartition(".")[0]:
        notes.append(f"it failed on Python {python}; this is {here}")
    for name in ("event", "replay", "cassette"):
        part = scene.parts.get(name)
        if part is not None and part.state == "partial":
            notes.append(f"{name}: {part.reason}")
    if scene.replay_notes is None:
        notes.append("the scene is of an older Relive: no seeds, no calls")


def _check_travel(scene: SceneFile, spec: FunctionSpec) -> None:
    """Raises ReplayError."""
    kind, name = str(scene.manifest["kind"]), spec.name
    if not has_python(spec.kind):
        raise ReplayError(
            f"{name} is a program (kind {spec.kind!r}): it has no lines of Python that could be gone back in",
            hint="relive debug shows the failure itself",
        )
    if spec.kind in BESIDE and spec.kind != SERVICE:
        raise ReplayError(
            f"{name} is of kind {spec.kind!r}: its server runs in threads of its own, which cannot be gone"
            " back in",
            hint="relive debug shows the failure itself",
        )
    if kind == "init":
        raise ReplayError(
            f"{name} failed while its module was loaded, and steps begin with the handler",
            hint="relive debug shows the failure itself",
        )


def _encoded(script: ReplayInput) -> bytes:
    count = len(script.recorded_calls)
    if count > _CALLS:
        raise ReplayError(f"its recording has {count} calls, over the limit of {_CALLS}")
    data = msgspec.msgpack.encode(script)
    if len(data) > _SCRIPT_BYTES:
        raise ReplayError(f"its calls are {len(data)} bytes, over the limit of {_SCRIPT_BYTES}")
    return data


def _request(scene: SceneFile, recorded: ReplayNotes, spec: FunctionSpec) -> InvokeRequest:
    context: dict[str, Any] = scene.context
    http = context.get("http")
    timeout_ns = context.get("timeout_ns")
    return InvokeRequest(
        function=spec.name,
        event=b"" if isinstance(http, dict) else scene.event,
        http=_http(http, scene.event) if isinstance(http, dict) else None,
        trigger=str(context.get("trigger") or "api"),
        trace_id=str(scene.manifest["trace_id"]),
        timeout_s=timeout_ns / 1e9 if isinstance(timeout_ns, int) and spec.timeout_s < _TIMEOUT_S else 0.0,
        attempt=scene.attempt,
        invocation_id=scene.invocation_id,
        depth=recorded.depth,
    )


def _http(request: dict[str, Any], body: bytes) -> HttpRequest:
    try:
        return msgspec.convert({**request, "body": b""}, _Http).request(body)
    except msgspec.ValidationError as error:
        raise ReplayError(f"the scene's request cannot be read: {error}") from error


class _Http(msgspec.Struct):
    """The request as context.json has it."""

    method: str
    path: str
    query: str = ""
    headers: list[tuple[str, str]] = []
    scheme: str = "http"
    host: str = ""
    client: str = ""
    mount: str = ""
    route: str = ""

    def request(self, body: bytes) -> HttpRequest:
        """With its body."""
        return HttpRequest(
            self.method, self.path, self.query, self.headers, body, self.scheme, self.host, self.client,
            self.mount, self.route,
        )  # fmt: skip
