"""From a scene to a pytest file that repeats the failure, and passes once the code is fixed."""

from __future__ import annotations

import ast
import json
import os
import pprint
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.parts import Why
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.terminal import one_line
from relive_capture.explore.parts import outside_facts
from relive_capture.explore.scene import SceneFile
from relive_capture.recording_format import ReplayNotes, Seeds

from relive_platform.registry.application import MANIFEST, find_manifest, load
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.replay.errors import ReplayError
from relive_platform.replay.handlers import is_inside
from relive_platform.replay.stand_ins import stand_in

__all__ = ["MARK", "MAX_BYTES", "Code", "file_name", "find_code", "pytest_file"]

MAX_BYTES: Final = 8 * 1_048_576
"""Of a test file; with more, its event or calls are no longer something to keep beside code."""

MARK: Final = "Written by: relive scene "
"""A file with this may be written anew."""

_APART: Final = frozenset({"signal", "memory"})
_EXITED: Final = "WorkerExited"  # os._exit; sys.exit is an exception like others
_WIDTH: Final = 100
_SHOWN: Final = 12
_CHANCE: Final = re.compile(r"\brandom\b|\bnumpy\b|\bnp\.", re.IGNORECASE)
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Code:
    """Where the code to be tested is: the function's source folder, and its configuration if known."""

    source: Path
    config: FunctionConfig | None
    manifest: Path | None = None

    @property
    def path(self) -> Path:
        """As `relive replay --code` wants it."""
        return self.manifest or self.source


def find_code(function: str, given: Path | None, target: Path) -> Code:
    """`given`: a folder of source, or an application. Without it, the application around the working folder
    or the test file's that has the function. Raises ReplayError, ConfigError."""
    if given is not None:
        file = find_manifest(given)
        if file is None or not file.is_file():
            return Code(given.absolute(), None)
        config = load(file).functions.get(function)
        if config is None:
            raise ReplayError(f"it has no function {function!r}", where=str(file))
        return Code(Path(config.source), config, file)
    for start in (Path.cwd(), target.absolute().parent):
        for folder in (start, *start.parents):
            file = find_manifest(folder)
            if file is not None:
                config = load(file).functions.get(function)
                if config is not None:
                    return Code(Path(config.source), config, file)
    raise ReplayError(
        f"there is no {MANIFEST} with {function!r} here or around the test file",
        hint="say where its code is: --code PATH",
    )


def pytest_file(scene: SceneFile, code: Code, target: Path, outcome: str = "") -> str:
    """The text of the file; `target` is where it will be, for the path from there to the code. `outcome`:
    what came out when it was run, in a sentence.

    Raises ReplayError if such a failure cannot be a test of the code, or would be too large a file.
    """
    kind = str(scene.manifest["kind"])
    if kind == "bad_event":
        raise ReplayError(
            "the event could not be read, so the function was never called: there is no code to test",
            hint="look at the event: relive failure ID",
        )
    live = scene.parts.get("live")
    if live is not None and live.because(Why.NOT_KEPT):
        raise ReplayError(
            'the function is a program of its own (kind "custom"): there is no Python that a test could call',
            hint=f"run it again on your working copy: relive replay {scene.invocation_id} --code PATH",
        )
    recorded = scene.replay_notes or ReplayNotes()
    names: dict[str, str] = {}
    arguments = _arguments(scene, recorded, code, names)
    shown = {name: f"{name} = {value}\n" for name, value in names.items()}
    text = _TEMPLATE.format(
        docstring=_docstring(scene, code, outcome),
        source=_path_text(code.source, target.absolute().parent),
        given="".join(text for name, text in shown.items() if name in _FIRST),
        arguments="".join(f"        {name}={value},\n" for name, value in arguments.items()),
        name=_test_name(scene),
        rest="".join(f"\n{text}" for name, text in shown.items() if name not in _FIRST),
    )
    if len(text.encode()) > MAX_BYTES:
        raise ReplayError(
            f"the test would have {len(text.encode()):,} bytes, over the limit of {MAX_BYTES:,}",
            hint="keep the scene beside your code, and use: relive replay FILE --code PATH",
        )
    return text


_TEMPLATE: Final = '''"""{docstring}"""

from pathlib import Path

from relive.testing import Invocation

SOURCE = Path(__file__).parent / {source}
{given}

def {name}() -> None:
    Invocation(
{arguments}    ).run()

{rest}'''
_FIRST: Final = ("EVENT", "REQUEST")  # what a reader wants to see before the test, not after it


def _arguments(scene: SceneFile, recorded: ReplayNotes, code: Code, names: dict[str, str]) -> dict[str, str]:
    """Arguments of Invocation as code; what is long gets a name of its own in `names`."""
    config = code.config
    handler = config.handler if config is not None else recorded.handler
    if not handler:
        raise ReplayError(
            "the scene does not say which handler failed",
            hint=f"give a folder with a {MANIFEST}: --code PATH",
        )
    if config is None and not is_inside(code.source, handler, recorded.kind):
        raise ReplayError(
            f"the handler {one_line(handler, 100)!r} that the scene names is not in {code.source}",
            hint=f"give a folder with a {MANIFEST}: --code PATH",
        )
    values: dict[str, Any] = {
        "handler": handler,
        "kind": config.kind if config is not None else recorded.kind,
        "function": str(scene.manifest["function"]),
        "version": int(scene.manifest["version"]),
        "invocation_id": scene.invocation_id,
        "trace_id": str(scene.manifest["trace_id"]),
        "timeout_s": recorded.timeout_s or (config.timeout_s if config is not None else 3.0),
        "memory_mb": recorded.memory_mb or (config.memory_mb if config is not None else 256),
    }
    if scene.manifest["kind"] == "bad_result" and config is not None and config.result_limit_bytes:
        values["result_limit_bytes"] = config.result_limit_bytes
    environment = _environment(config)
    if environment:
        values["environment"] = environment
    arguments = {name: repr(value) for name, value in values.items() if value not in ("event", "")}
    arguments = {"handler": arguments.pop("handler"), "source": "SOURCE", **arguments}
    for name, value in _given(scene, recorded).items():
        names[name.upper()] = value
        arguments[name] = name.upper()
    if _ended_its_process(scene):
        arguments["apart"] = "True"
    if scene.manifest["kind"] == "background":
        arguments["beside"] = "True"
    return arguments


def _ended_its_process(scene: SceneFile) -> bool:
    """Or had to be ended: code that takes no notice of its time limit would hold up the test for ever."""
    kind, native = scene.manifest["kind"], scene.parts.get("native")
    unheeded = kind == "timeout" and native is not None and native.state in ("ok", "partial")
    return unheeded or kind in _APART or scene.manifest["error"].get("type") == _EXITED


def _given(scene: SceneFile, recorded: ReplayNotes) -> dict[str, str]:
    """Event or request, calls, seeds: each as code."""
    found: dict[str, str] = {}
    http = scene.context.get("http")
    if isinstance(http, dict):
        wanted = ("method", "path", "query", "headers", "scheme", "host", "client", "mount", "route")
        request = {name: http[name] for name in wanted if http.get(name)}
        if scene.event:
            request["body"] = _text_or_bytes(scene.event)
        found["request"] = _literal(request)
    else:
        found["event"] = _event(scene.event)
    recorded_calls = scene.recorded_calls
    if recorded_calls:
        found["calls"] = _literal([msgspec.to_builtins(entry) for entry in recorded_calls])
    files = [file for file in recorded.init_files + recorded.files if file.kind != "folder" or file.listed]
    if files:
        found["files"] = _literal([msgspec.to_builtins(file, builtin_types=(bytes,)) for file in files])
    seeds = recorded.seeds if scene.replay_notes is not None else Seeds(wall_ns=0)
    init = recorded.init_seeds if scene.replay_notes is not None else None
    chance = any(_CHANCE.search(scene.source(file)) for file in scene.sources)
    if seeds.wall_ns:
        found["seeds"] = _seeds(seeds, chance)
    if init is not None and (init.urandom or init.object_ids or (chance and init.python != seeds.python)):
        found["init_seeds"] = _seeds(init, chance)
    return found


def _seeds(seeds: Seeds, chance: bool) -> str:
    """The clock, what os.urandom gave, and the states of generators if the code names any."""
    kept = seeds if chance else msgspec.structs.replace(seeds, python=b"", numpy=b"", gauss_next=None)
    lines = ["{"]
    for name, value in msgspec.to_builtins(kept).items():
        if isinstance(value, str):
            parts = [value[at : at + _WIDTH] for at in range(0, len(value), _WIDTH)]
            lines += [f"    {name!r}: (", *(f"        {part!r}" for part in parts), "    ),"]
        elif isinstance(value, list) and any(len(text) > _WIDTH for text in value):
            lines += [f"    {name!r}: [", *_wrapped(value), "    ],"]
        elif value is not None:
            lines.append(f"    {name!r}: {_literal(value)},")
    return "\n".join([*lines, "}"])


def _wrapped(texts: list[str]) -> Iterator[str]:
    """Items of a list, each in as many lines as it needs."""
    for text in texts:
        parts = [repr(text[at : at + _WIDTH]) for at in range(0, len(text), _WIDTH)]
        yield from (f"        {part}" for part in parts[:-1])
        yield f"        {parts[-1] if parts else repr('')},"


def _event(data: bytes) -> str:
    if not data:
        return "None"
    try:
        text = _literal(json.loads(data))
        ast.literal_eval(text)  # not so for 1e999, which is an infinity
    except (ValueError, RecursionError, MemoryError):
        return repr(data)
    return text


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _literal(value: object) -> str:
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False)


def _environment(config: FunctionConfig | None) -> dict[str, str]:
    """With stand-ins for secrets: the test is going to lie beside code."""
    if config is None:
        return {}
    redactor = Redactor(config.redact_keys)
    return {name: stand_in(name, value, redactor) for name, value in config.environment.items()}


def _stood_in(config: FunctionConfig | None) -> list[str]:
    """Names of variables whose value in the test is not the real one."""
    real = config.environment if config is not None else {}
    return [name for name, value in _environment(config).items() if value != real[name]]


def _path_text(source: Path, folder: Path) -> str:
    """From the test's folder to the code, so that both can move together."""
    return repr(Path(os.path.relpath(source, folder)).as_posix())


def _docstring(scene: SceneFile, code: Code, outcome: str) -> str:
    error = scene.manifest["error"]
    when = datetime.fromtimestamp(scene.manifest["captured_ns"] // _SECOND_NS, UTC)
    place = ""
    if error.get("file"):
        place = one_line(f" ({error['file']}:{error.get('line', 0)} in {error.get('function', '?')})", 400)
    message = one_line(f"{error.get('type', '')}: {error.get('message', '')}", 200)
    lines = [
        _plain(f"{scene.manifest['function']} failed on {when:%Y-%m-%d %H:%M:%S} UTC: {message}{place}"),
        "",
        f"{MARK}{scene.invocation_id} --to-test",
        _plain(one_line(outcome, 400)) or "It has not been run yet.",
    ]
    made_up = _stood_in(code.config)
    if made_up:
        lines += ["", _plain(one_line(f"Stand-ins of the same shape for secrets: {', '.join(made_up)}", 400))]
    facts = outside_facts(scene)
    if facts is not None:
        host = _plain(one_line(facts.host, 40))
        lines += [
            "",
            f"Recorded elsewhere (host {host}): whoever made the scene has chosen what the code gets",
        ]
    hidden = sorted(
        {place for place in scene.redactions if place.startswith(("event", "context", "cassette"))}
    )
    if hidden:
        more = f" and {len(hidden) - _SHOWN} more" if len(hidden) > _SHOWN else ""
        names = ", ".join(hidden[:_SHOWN])
        lines += ["", _plain(f"Read {PLACEHOLDER} here, as secrets are not kept: {names}{more}")]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that cannot end the docstring, nor be an escape in it."""
    return text.replace("\\", "/").replace('"""', "'''").rstrip('"')


def file_name(scene: SceneFile) -> str:
    """Of the test, if only a folder is given."""
    return f"{_test_name(scene)}_{scene.invocation_id[-8:]}.py"


def _test_name(scene: SceneFile) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(scene.manifest["error"].get("type", "")))
    name = re.sub(r"\W+", "_", f"{scene.manifest['function']}_{words}", flags=re.ASCII).strip("_").lower()
    return f"test_{name}"
