"""A Procfile to the document of an application: its `web` line is an HTTP service."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relive_platform.names import NAME
from relive_platform.registry.application.document import Document, Ignored
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.lines import KeyPath
from relive_platform.registry.application.places import absolute
from relive_platform.registry.application.toml_file import read_text

__all__ = ["read_procfile"]

_LINE: Final = re.compile(r"([A-Za-z0-9_-]+):\s*(.*)")
_APP: Final = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?::([A-Za-z_]\w*(?:\(\))?))?")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_SERVERS: Final = {  # server -> the interface it speaks, "" if it can be either
    "gunicorn": "",
    "uvicorn": "asgi",
    "hypercorn": "asgi",
    "daphne": "asgi",
    "granian": "",
    "waitress-serve": "wsgi",
}
_FLAGS: Final = ("--reload", "--preload", "--factory", "--access-log", "--no-access-log", "--proxy-headers")
"""Options of these servers that have no value."""
_SERVED: Final = ("-b", "--bind", "--host", "--port", "-p", "--listen", "--app", "-k", "--worker-class")
"""What Relive's own gateway and workers take the place of."""
_HINT: Final = "as in web: gunicorn main:app, or web: uvicorn main:app --port $PORT"


def read_procfile(file: Path, shown: str) -> Document:
    """The document of a Procfile. Raises ConfigError."""
    found = _Procfile(shown)
    for number, text in enumerate(read_text(file, shown, _HINT).splitlines(), 1):
        if text.strip() and not text.lstrip().startswith("#"):
            found.line(number, text.strip())
    if not found.function and not found.problems:
        found.wrong(0, "it has no line web:", _HINT)
    if found.problems:
        raise ConfigError(found.problems)
    name = re.sub(r"[^a-zA-Z0-9_-]+", "-", absolute(file).parent.name).strip("-")[:64]
    name = name if NAME.fullmatch(name) else "web"
    values = {"app": {"name": name}, "functions": {name: found.function}}
    lines: dict[KeyPath, int] = {("functions", name): found.at, ("functions", name, "app"): found.at}
    if name == absolute(file).parent.name:
        del values["app"]  # it is the folder's: another one may have the same
    return Document(values=values, lines=lines, file=file, shown=shown, ignored=tuple(found.ignored))


@dataclass(slots=True)
class _Procfile:
    shown: str
    function: dict[str, Any] = field(default_factory=dict)
    at: int = 0
    ignored: list[Ignored] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, line: int, message: str, hint: str) -> None:
        self.problems.append(Problem(self.shown, line, message, hint))

    def ignore(self, line: int, key: str, message: str, hint: str = "", *, describes: bool = False) -> None:
        self.ignored.append(Ignored(self.shown, line, key, message, hint, describes))

    def line(self, number: int, text: str) -> None:
        match = _LINE.fullmatch(text)
        if match is None:
            self.wrong(number, f"{text[:80]!r} is not NAME: COMMAND", _HINT)
        elif match[1] != "web":
            hint = "a timer or a queue's function may take its place"
            self.ignore(number, match[1], "Relive starts no other processes", hint)
        elif self.function:
            self.wrong(number, "there are two lines web:", "remove one of them")
        else:
            try:
                self.web(number, shlex.split(match[2]))
            except ValueError as error:
                self.wrong(number, f"the command cannot be read: {error}", _HINT)

    def web(self, number: int, words: list[str]) -> None:
        environment: dict[str, str] = {}
        while words and (match := _VARIABLE.fullmatch(words[0])):
            environment[match[1]] = match[2]
            words = words[1:]
        if words[:1] and re.fullmatch(r"python[0-9.]*", words[0]) and words[1:2] == ["-m"]:
            words = words[2:]
        server = Path(words[0]).name if words else ""
        if server not in _SERVERS:
            known = ", ".join(_SERVERS)
            self.wrong(
                number, f"{server or 'nothing'!r} is no server that Relive can stand for", f"use {known}"
            )
            return
        app, chdir = self.parts(number, words[1:])
        if not app:
            self.wrong(number, f"the line names no application for {server}", _HINT)
            return
        self.at = number
        wanted = {
            "kind": "service",
            "app": app,
            "interface": _SERVERS[server],
            "source": chdir,
            "environment": environment,
            "triggers": [{"type": "http", "path": "/{path+}"}, {"type": "http", "path": "/"}],
        }
        self.function |= {key: value for key, value in wanted.items() if value}

    def parts(self, number: int, words: list[str]) -> tuple[str, str]:
        """`module:attribute` ("" if there is none; these servers take `application` if no attribute is said),
        and the folder to change to."""
        app, chdir = "", ""
        for word, value in _options(words):
            if word in ("--chdir", "--app-dir"):
                chdir = value
            elif not word and not app and _APP.fullmatch(value):
                module, _, attribute = value.partition(":")
                app = f"{module}:{attribute.removesuffix('()') or 'application'}"
            else:
                self.option(number, word or value)
        return app, chdir

    def option(self, number: int, word: str) -> None:
        served = word in _SERVED or word in _FLAGS
        message = "Relive has a gateway and workers of its own" if served else "it has no effect here"
        self.ignore(number, f"web {word}", message, describes=served)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """(option, value); ("", word) for what belongs to none."""
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            yield "", word
        elif "=" in word:
            name, _, value = word.partition("=")
            yield name, value
        elif word in _FLAGS or not words or words[0].startswith("-"):
            yield word, ""
        else:
            yield word, words.pop(0)
