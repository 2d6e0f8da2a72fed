"""Checking what an application's file says: one pass finds every problem, with file, line and hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from relive_platform.keys import Key
from relive_platform.names import NAME, NAME_HINT
from relive_platform.registry.application.alerts import read_alerts
from relive_platform.registry.application.callers import caller_problems, cors_of
from relive_platform.registry.application.document import NOTHING_GIVEN, Document, Given
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.handlers import check_code, check_handler, normalise_handler
from relive_platform.registry.application.lines import KeyPath, find_line
from relive_platform.registry.application.manifest import MANIFEST, find_manifest, read_document
from relive_platform.registry.application.model import (
    Application,
    FunctionConfig,
    FunctionDefaults,
    Trigger,
)
from relive_platform.registry.application.places import absolute, place_problems, reach
from relive_platform.registry.application.programs import (
    CUSTOM,
    custom_handler,
    custom_problems,
    has_bootstrap,
    kind_of,
    other_problems,
)
from relive_platform.registry.application.resources import environment_problems, read_resources
from relive_platform.registry.application.schema import (
    APP,
    CORS,
    FUNCTION,
    ROOT,
    TRIGGERS,
    check_value,
)
from relive_platform.resources.base import ResourceConfig
from relive_platform.triggers.destinations.config import Destination, destination_problems
from relive_platform.triggers.table import KINDS

__all__ = ["MANIFEST", "from_folder", "load"]

_HERE: Final = "."
_TAKEN: Final = ("source", "handler", "app", "redact")  # of a function's table, by name
_MAX_FUNCTIONS: Final = 1_000
_MAX_TRIGGERS: Final = 100
_NAMED: Final = 8  # functions, in a hint
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def load(
    path: str | Path, defaults: FunctionDefaults | None = None, given: Given = NOTHING_GIVEN
) -> Application:
    """The application of `path`: a `relive.toml`, a template, or a folder with one. Raises ConfigError."""
    file = find_manifest(Path(path), given.manifest) or Path(path) / MANIFEST
    document = read_document(file, given)
    application = _Reader(document, defaults or FunctionDefaults()).read()
    if given.strict and (left := [note for note in document.ignored if not note.describes]):
        hint = "remove it, or deploy without --strict"
        raise ConfigError(
            [Problem(note.file, note.line, f"{note.key}: {note.message}", note.hint or hint) for note in left]
        )
    return application


def from_folder(
    folder: str | Path,
    *,
    name: str | None,
    handler: str | None,
    kind: str = "event",
    defaults: FunctionDefaults | None = None,
) -> Application:
    """A single function from a folder without `relive.toml`. Raises ConfigError."""
    root = absolute(Path(folder))
    shown = str(root)
    problems = []
    if name and not handler and has_bootstrap(root):
        handler, kind = custom_handler({}), CUSTOM
    if not name or not handler:
        missing = " and ".join(
            flag for flag, given in (("--name", name), ("--handler", handler)) if not given
        )
        hint = f"write a {MANIFEST}, or give {missing}"
        raise ConfigError([Problem(shown, 0, f"there is no {MANIFEST} in it", hint)])
    if not NAME.fullmatch(name):
        problems.append(Problem(shown, 0, f"the name {name!r} is not allowed", NAME_HINT))
    if kind not in FUNCTION["kind"].choices:
        problems.append(Problem(shown, 0, f"the kind {kind!r} is not known", "use event or http"))
    normal = handler if kind == CUSTOM else normalise_handler(handler)
    if kind == CUSTOM:
        found = custom_problems({"handler": handler}, root)
        problems += [Problem(shown, 0, message, hint) for _, message, hint in found]
    elif normal is None:
        problems.append(
            Problem(shown, 0, f"the handler {handler!r} is not module:attribute", "as in cart:handler")
        )
    elif problem := check_handler(root, normal, file=shown, line=0):
        problems.append(problem)
    if problems or normal is None:
        raise ConfigError(problems)
    config = FunctionConfig(**_base(defaults or FunctionDefaults(), name, normal, str(root)), kind=kind)
    return Application(name=name, functions={name: config}, root=root)


def _base(defaults: FunctionDefaults, name: str, handler: str, source: str) -> dict[str, Any]:
    taken = {field: getattr(defaults, field) for field in FunctionDefaults.__dataclass_fields__}
    return {**taken, "name": name, "handler": handler, "source": source}


class _Reader:
    """One pass over one document. Problems are gathered; `read` raises them together."""

    def __init__(self, document: Document, defaults: FunctionDefaults) -> None:
        self.document = document
        self.shown = document.shown
        self.root = absolute(document.file).parent
        self.defaults = defaults
        self.problems: list[Problem] = []
        self.concerned: dict[Problem, list[str]] = {}  # functions whose handlers have it
        self.lines = document.lines
        self.claimed: dict[tuple[str, str], str] = {}  # kind and name -> function
        self.resources: dict[str, ResourceConfig] = {}

    def problem(self, path: KeyPath, message: str, hint: str) -> None:
        self.problems.append(Problem(self.shown, find_line(self.lines, path), message, hint))

    def read(self) -> Application:
        document = self.document.values
        self.check_table((), document, ROOT, "the file")
        app = document.get("app", {})
        if isinstance(app, dict):
            self.check_table(("app",), app, APP, "[app]")
        name = app.get("name", self.root.name) if isinstance(app, dict) else ""
        if isinstance(name, str) and not NAME.fullmatch(name):
            where: KeyPath = ("app", "name")
            self.problem(where, f"the application's name {name!r} is not allowed", f"[app] name: {NAME_HINT}")
        tables = document.get("functions", {})
        if isinstance(tables, dict) and "functions" in document:
            self.count(tables)
        resources = document.get("resources", {})
        self.resources = read_resources(self, resources if isinstance(resources, dict) else {})
        functions = self.functions(tables if isinstance(tables, dict) else {}, app)
        watched = document.get("alerts", {})
        alerts = read_alerts(self, watched if isinstance(watched, dict) else {}, tables)
        if self.problems:
            raise ConfigError([self.with_functions(found) for found in self.problems])
        return Application(
            name=name,
            functions=functions,
            resources=self.resources,
            alerts=alerts,
            file=self.shown,
            root=self.root,
            redact_keys=tuple(app.get("redact", ())),
            in_app=tuple(app.get("in_app", ())),
            named="name" in app,
            ignored=self.document.ignored,
        )

    def with_functions(self, found: Problem) -> Problem:
        """`found`, and whose handlers it concerns if they are several."""
        names = self.concerned.get(found, ())
        if len(names) < 2:
            return found
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return replace(found, hint=f"{found.hint}; it concerns {', '.join(names[:_NAMED])}{more}")

    def count(self, tables: Mapping[str, object]) -> None:
        if not 1 <= len(tables) <= _MAX_FUNCTIONS:
            message = f"[functions] has {len(tables)} functions"
            self.problem(("functions",), message, f"write 1 to {_MAX_FUNCTIONS} tables [functions.NAME]")

    def check_table(
        self, path: KeyPath, table: Mapping[str, object], keys: Mapping[str, Key], where: str
    ) -> None:
        """Unknown and missing keys, types, ranges."""
        for name, value in table.items():
            if name not in keys:
                close = difflib.get_close_matches(name, list(keys), n=1)
                hint = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(keys)}"
                self.problem((*path, name), f"{where} has no key {name!r}", hint)
            elif found := check_value(name, keys[name], value):
                self.problem((*path, name), *found)
        for name, key in keys.items():
            if key.required and name not in table:
                self.problem(path, f"{where} has no {name}", f"add {name}: {key.doc}")

    def functions(self, tables: Mapping[str, object], app: Mapping[str, Any]) -> dict[str, FunctionConfig]:
        functions = {}
        for name, table in tables.items():
            path: KeyPath = ("functions", name)
            if not NAME.fullmatch(name):
                self.problem(path, f"the function's name {name!r} is not allowed", NAME_HINT)
            elif name == "last":
                self.problem(path, "a function cannot be called last", "commands mean the newest one by it")
            elif not isinstance(table, dict):
                self.problem(path, f"functions.{name} is not a table", f"write [functions.{name}]")
            elif config := self.function(name, table, app):
                functions[name] = config
        return functions

    def function(self, name: str, table: dict[str, Any], app: Mapping[str, Any]) -> FunctionConfig | None:
        path: KeyPath = ("functions", name)
        before = len(self.problems)
        self.check_table(path, table, FUNCTION, f"[functions.{name}]")
        if len(self.problems) > before:
            return None
        source = self.source(path, table)
        kind = kind_of(table, source)
        found = custom_problems(table, source) if kind == CUSTOM else other_problems(table)
        for below, message, hint in found:
            self.problem((*path, *below), message, hint)
        if len(self.problems) > before:
            return None
        handler = custom_handler(table) if kind == CUSTOM else self.handler(path, table, source)
        for below, message, hint in place_problems(table, source, self.root):
            self.problem((*path, *below), message, hint)
        self.environment((*path, "environment"), table.get("environment", {}))
        destinations = self.destinations(path, table)
        triggers = self.triggers(path, name, table.get("triggers", []))
        self.callers(path, table, triggers)
        if len(self.problems) > before or handler is None:
            return None
        values = _base(self.defaults, name, handler, str(source))
        values |= {key: value for key, value in table.items() if key not in _TAKEN}
        if (old := values.pop("cassette", None)) is not None:
            values.setdefault("recording", old)
        values["kind"] = kind
        values["command"] = tuple(table.get("command", ()))
        values["triggers"] = tuple(triggers)
        for key in ("dependencies", "extra_dependencies", "include", "layers"):
            values[key] = tuple(table.get(key, ()))
        redact = (*self.defaults.redact_keys, *app.get("redact", ()), *table.get("redact", ()))
        values["redact_keys"] = tuple(dict.fromkeys(redact))
        values["in_app"] = tuple(app.get("in_app", ()))
        values["resources"] = self.resources
        values |= destinations
        if "cors" in table:
            values["cors"] = cors_of(table["cors"])
        return FunctionConfig(**values)

    def callers(self, path: KeyPath, table: Mapping[str, Any], triggers: Sequence[Trigger]) -> None:
        before = len(self.problems)
        if "cors" in table:
            self.check_table((*path, "cors"), table["cors"], CORS, "cors")
        if len(self.problems) == before:
            for where, message, hint in caller_problems(table, triggers):
                self.problem((*path, *where), message, hint)

    def source(self, path: KeyPath, table: Mapping[str, Any]) -> Path | None:
        path, text = (*path, "source"), str(table.get("source", _HERE))
        folder, reason = reach(self.root, text)
        if reason:
            self.problem(path, f"the source {text[:200]!r}: {reason}", "correct the path")
            return None
        if Path(text).is_absolute() or not folder.is_relative_to(self.root.resolve()):
            self.problem(path, f"the source {text!r} is outside the application", "name a folder inside it")
            return None
        if not folder.is_dir() and not (folder.suffix == ".zip" and folder.is_file()):
            top = self.root.resolve()
            near = [str(entry.relative_to(top)) for entry in sorted(folder.parent.glob("*/"))[:100]]
            close = difflib.get_close_matches(text, near, n=1)
            hint = f"did you mean {close[0]}?" if close else "create the folder or correct the path"
            self.problem(path, f"the source folder {text!r} does not exist", hint)
            return None
        return folder

    def handler(self, path: KeyPath, table: Mapping[str, Any], source: Path | None) -> str | None:
        key = "app" if "app" in table else "handler"
        text, code = table[key], table.get("code", "")
        path = (*path, key)
        normal = normalise_handler(text)
        if normal is None:
            self.problem(path, f"the handler {text!r} is not module:attribute", 'write as in "cart:handler"')
        elif source is not None:
            line = find_line(self.lines, path)
            if code:
                found = check_code(code, normal, file=self.shown, line=line)
            else:
                found = check_handler(source, normal, file=self.shown, line=line)
            if found:
                concerned = self.concerned.setdefault(found, [])
                if not concerned:  # a module of many functions is wrong once
                    self.problems.append(found)
                concerned.append(str(path[1]))
        return normal

    def destinations(self, path: KeyPath, table: Mapping[str, Any]) -> dict[str, Destination]:
        found = {}
        for key in ("on_success", "on_failure"):
            if key in table:
                problems = list(destination_problems(table[key]))
                for message, hint in problems:
                    self.problem((*path, key), message, hint)
                if not problems:
                    found[key] = Destination(**table[key])
        return found

    def environment(self, path: KeyPath, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if not _VARIABLE.fullmatch(name) or "\0" in value:
                self.problem(
                    (*path, name), f"{name!r} cannot be an environment variable", "use A-Z, 0-9 and _"
                )
        for name, message, hint in environment_problems(values, self.resources):
            self.problem((*path, name), message, hint)

    def triggers(self, path: KeyPath, function: str, tables: Sequence[dict[str, Any]]) -> list[Trigger]:
        triggers: list[Trigger] = []
        if len(tables) > _MAX_TRIGGERS:
            self.problem(
                (*path, "triggers"), f"{len(tables)} triggers", f"at most {_MAX_TRIGGERS} a function"
            )
        for index, table in enumerate(tables[:_MAX_TRIGGERS]):
            at: KeyPath = (*path, "triggers", index)
            kind = str(table.get("type", ""))
            if kind not in TRIGGERS:
                close = difflib.get_close_matches(kind, list(TRIGGERS), n=1)
                hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(TRIGGERS)}"
                message = f"the trigger type {kind!r} is not known" if kind else "the trigger has no type"
                self.problem((*at, "type"), message, hint)
                continue
            before = len(self.problems)
            self.check_table(at, table, TRIGGERS[kind], f"the {kind} trigger")
            if len(self.problems) == before:
                triggers.append(self.trigger(at, function, kind, table))
        return triggers

    def trigger(self, at: KeyPath, function: str, kind: str, table: dict[str, Any]) -> Trigger:
        found = KINDS[kind].config.of({key: value for key, value in table.items() if key != "type"})
        found = found.among(self.resources)
        for key, message, hint in (*found.problems(), *found.problems_among(self.resources)):
            self.problem((*at, key), message, hint)
        for claim in found.claims():
            other = self.claimed.setdefault((claim.kind, claim.name), function)
            if other != function:
                self.problem((*at, claim.key), f"{claim.taken} of function {other!r}", claim.hint)
                break
        return found
