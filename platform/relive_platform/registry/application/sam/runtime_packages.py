"""What Lambda's Python runtime and well-known layers bring along: packages to install instead."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

__all__ = ["package_of_layer", "runtime_packages"]

_LAYERS: Final = (
    (re.compile(r":layer:AWSLambdaPowertoolsPythonV2[^:]*:"), "aws-lambda-powertools[all]>=2,<3"),
    (re.compile(r":layer:AWSLambdaPowertoolsPythonV3[^:]*:"), "aws-lambda-powertools[all]>=3,<4"),
    (re.compile(r":layer:AWSSDKPandas-Python\d+[^:]*:"), "awswrangler"),
    (re.compile(r":layer:aws-xray-sdk-python[^:]*:"), "aws-xray-sdk"),
)
_IMPORT: Final = r"(?:^|[;:])[ \t]*(?:from[ \t]+|import[ \t]+(?:[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*,[ \t]*)*)"
"""Up to a module's name; `import json, os, boto3` and `try: import boto3` are imports, too."""
_RUNTIME: Final = re.compile(rf"{_IMPORT}(?:boto3|botocore)\b".encode(), re.MULTILINE)
_RESPONSE: Final = re.compile(rf"{_IMPORT}cfnresponse\b", re.MULTILINE)
_NAMED: Final = re.compile(r"^\s*(boto3|botocore)\b", re.MULTILINE | re.IGNORECASE)
_MAX_FILES: Final = 2_000
_SKIPPED: Final = ("node_modules", "__pycache__", "venv")
_MAX_BYTES: Final = 1024 * 1024


def package_of_layer(arn: str) -> str:
    """The requirement that stands for a public layer, "" if it is not known."""
    return next((package for pattern, package in _LAYERS if pattern.search(f"{arn}:")), "")


def runtime_packages(source: Path | None, code: str = "", layers: Sequence[Path] = ()) -> list[str]:
    """boto3, if the code in the folder `source` (or the text `code`), or in `layers`, imports it and no
    requirements.txt of theirs names it; for code in the template, cfnresponse as well. `source`: None for one
    that is not the application's."""
    folders = [*layers, *([source] if source is not None and not code else [])]
    wanted = _RUNTIME.search(code.encode("utf-8", "replace")) is not None or any(
        _RUNTIME.search(text) for folder in folders for text in _texts(folder)
    )
    packages = ["boto3"] if wanted and not any(_names_it(folder) for folder in folders) else []
    return [*packages, "cfnresponse"] if _RESPONSE.search(code) else packages


def _names_it(folder: Path) -> bool:
    """Whether what is installed for the folder has boto3 anyway."""
    try:
        named = (folder / "requirements.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _NAMED.search(named) is not None


def _texts(source: Path) -> Iterator[bytes]:
    seen = 0
    for folder, folders, files in os.walk(source):  # links are not followed
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(files):
            seen += 1
            if seen > _MAX_FILES:
                return
            if name.endswith(".py"):
                with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                    yield file.read(_MAX_BYTES)
