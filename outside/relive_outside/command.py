"""`relive-record COMMAND`: run a command whose Pythons record what fails, without a change of its code."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import relive_outside

__all__ = ["main"]

_USAGE: Final = """usage: relive-record [--to PLACE] [--name NAME] [--source FOLDER] [--otlp URL] COMMAND
[ARG...]

Runs COMMAND, and records what fails in every Python that it starts: requests under uvicorn and gunicorn,
tasks of Celery, exceptions that reach the top of a script or end one of its threads.

  relive-record uvicorn app:app
  relive-record gunicorn app:app
  relive-record celery -A app worker
  relive-record job.py --day today

PLACE is a folder, s3://bucket/prefix, or the address of another Relive, whose token is in RELIVE_TOKEN.
Without it scenes go to the inbox of this machine's home. All settings: docs/reference/recording.md
"""
_OPTIONS: Final = ("to", "name", "source", "otlp")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Does not return: this process becomes the command's."""
    left = list(sys.argv[1:] if arguments is None else arguments)
    environment = dict(os.environ)
    while left and left[0].startswith("--"):
        option = left.pop(0)
        name, separator, value = option[2:].partition("=")
        if name == "":
            break
        if name not in _OPTIONS:
            _leave(0 if name == "help" else 2, "" if name == "help" else f"unknown option {option}\n")
        if not separator:
            if not left:
                _leave(2, f"{option} needs a value\n")
            value = left.pop(0)
        environment[f"RELIVE_RECORD_{name.upper()}"] = value
    if not left:
        _leave(2, "")
    if left[0].endswith(".py"):
        left.insert(0, sys.executable)
    environment.setdefault("PYTHONHASHSEED", str(1 + secrets.randbelow(2**32 - 2)))
    boot = os.path.join(os.path.dirname(os.path.abspath(relive_outside.__file__)), "boot")
    before = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = boot + (os.pathsep + before if before else "")
    try:
        os.execvpe(left[0], left, environment)
    except OSError as error:
        _leave(127, f"{left[0]} cannot be run: {error.strerror}\n")


def _leave(status: int, text: str) -> NoReturn:
    sys.stderr.write(f"relive-record: {text}" if text else _USAGE)
    sys.exit(status)
