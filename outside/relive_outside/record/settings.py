"""Every setting of a recording outside of Relive, declared once. All of them are environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = [
    "DOCS",
    "PREFIX",
    "OutsideSettings",
    "default_home",
    "markdown_table",
    "read_settings",
    "variable_of",
]

PREFIX: Final = "RELIVE_RECORD_"
_OFF: Final = ("0", "false", "no", "off")
_ON: Final = ("", "1", "true", "yes", "on")
_SCHEMES: Final = {"to": ("s3", "http", "https"), "otlp": ("http", "https")}


class OutsideSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The variable of a field is RELIVE_RECORD_ and its name in capitals; `token` is RELIVE_TOKEN."""

    to: str = ""
    name: str = ""
    source: str = ""
    capture: str = "full"
    redact: tuple[str, ...] = ()
    wait_s: float = -1.0
    send_s: float = 10.0
    per_minute: int = 20
    at_once: int = 4
    waiting_scenes: int = 64
    waiting_bytes: int = 33_554_432
    close_s: float = 5.0
    body_bytes: int = 1_048_576
    calls_bytes: int = 2_097_152
    source_bytes: int = 4_194_304
    timeout_s: float = 0.0
    folder_scenes: int = 500
    folder_bytes: int = 536_870_912
    otlp: str = ""
    state: str = ""
    token: str = ""
    enabled: bool = True


DOCS: Final[dict[str, str]] = {
    "to": "Where scenes go: a folder, `s3://bucket/prefix`, or the address of another Relive such as"
    " `https://relive.example.org:8700`. Empty: the `inbox` folder of this machine's home.",
    "name": "The name that failures are listed under. Empty: that of the Lambda function, the module of the"
    " application, the task or the script.",
    "source": "The folder of the application's code. Empty: the folder that its module was imported from.",
    "capture": "`full`, or `off`: no scenes.",
    "redact": "Names that count as secret besides the usual ones, separated by commas.",
    "wait_s": "How long a failed invocation waits at most until its scene is delivered. Empty: 2 s on AWS"
    " Lambda, which stops the machine after the answer, and in scripts; 0 elsewhere.",
    "send_s": "How long delivering a scene may take at most, in the process that does it.",
    "per_minute": "Scenes a process makes in a minute at most; what is over it is counted and said.",
    "at_once": "Processes beside an application that make scenes at once.",
    "waiting_scenes": "Scenes that wait in the application's memory at most until one of these has ended."
    " They leave at its next calls, or at its end; what is over the limit is counted and said.",
    "waiting_bytes": "Bytes of scenes that wait at most.",
    "close_s": "How long the end of a process waits at most for scenes that wait to leave.",
    "body_bytes": "How much of a request's body is kept for the scene.",
    "calls_bytes": "How much of an invocation's calls is kept for the scene; 0: none.",
    "source_bytes": "How much of the application's source files goes into a scene.",
    "timeout_s": "A scene is made of what still runs after so many seconds, which goes on. 0: only of what"
    " AWS Lambda is about to end.",
    "folder_scenes": "Scenes in a folder that no more are written to.",
    "folder_bytes": "Bytes of scenes in a folder that no more are written to.",
    "otlp": "Address that a span of each invocation is sent to by OTLP over HTTP, such as"
    " `http://127.0.0.1:4318`. Empty: none.",
    "state": "A folder that outlives the process, for the notes by which the next one tells of a process that"
    " was killed. Empty: one in the folder for temporary files.",
    "token": "The token of the Relive that scenes are sent to. Not in a URL, where logs would have it.",
    "enabled": "`RELIVE_RECORD=off` turns all of it off.",
}


_WANTED: Final = {
    "enabled": ": on or off",
    "capture": ": full or off",
    "source": ": a folder that is there",
    "to": ": a folder, s3://bucket/prefix, or an address of http or https",
    "otlp": ": an address of http or https",
}


def read_settings(environment: Mapping[str, str]) -> tuple[OutsideSettings, list[str]]:
    """The settings, and what is wrong with variables that are left at their defaults. Never raises."""
    found: dict[str, Any] = {}
    problems = []
    for field in msgspec.structs.fields(OutsideSettings):
        text = environment.get(variable_of(field.name), "")
        if text:
            try:
                found[field.name] = _value(field.name, field.type, text)
            except ValueError:
                wanted = _WANTED.get(field.name, "")
                problems.append(f"{variable_of(field.name)}={text[:40]!r} is not what it can be{wanted}")
    return OutsideSettings(**found), problems


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    if name == "token":
        return "RELIVE_TOKEN"
    return "RELIVE_RECORD" if name == "enabled" else PREFIX + name.upper()


def _value(name: str, kind: Any, text: str) -> Any:
    """Raises ValueError."""
    if kind in (int, float):
        value = kind(text)
        if not 0 <= value < 1e12:
            raise ValueError(text)
        return value
    if name == "redact":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name == "enabled":
        text = text.strip().lower()
    if not _can_be(name, text):
        raise ValueError(text)
    return text not in _OFF if name == "enabled" else text


def _can_be(name: str, text: str) -> bool:
    if name == "enabled":
        return text in _OFF or text in _ON
    if name == "capture":
        return text in ("full", "off")
    if name == "source":
        return os.path.isdir(text)
    if name in ("to", "otlp") and (name == "otlp" or "://" in text):
        scheme, _, rest = text.partition("://")
        return scheme in _SCHEMES[name] and bool(rest.partition("/")[0].strip())
    return True


def markdown_table() -> str:
    """The table of docs/reference/recording.md."""
    defaults = OutsideSettings()
    lines = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, doc in DOCS.items():
        value = getattr(defaults, name)
        shown = f"`{value:g}`" if type(value) is float else f"`{value}`" if value else ""
        empty = name in ("wait_s", "enabled", "redact")
        lines.append(f"| `{variable_of(name)}` | {'' if empty else shown} | {doc} |")
    return "\n".join(lines) + "\n"


def default_home(environment: Mapping[str, str]) -> str:
    """The home of a Relive on this machine, as `platformdirs` has it on Linux."""
    chosen = environment.get("RELIVE_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    data = environment.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    return os.path.join(data, "relive")
