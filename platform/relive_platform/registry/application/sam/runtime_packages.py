"""What Lambda's Python runtime and well-known layers bring along: packages to install instead."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["package_of_layer", "runtime_packages"]

_LAYERS: Final = (
    (re.compile(r":layer:AWSLambdaPowertoolsPythonV2[^:]*:"), "aws-lambda-powertools[all]>=2,<3"),
    (re.compile(r":layer:AWSLambdaPowertoolsPythonV3[^:]*:"), "aws-lambda-powertools[all]>=3,<4"),
    (re.compile(r":layer:AWSSDKPandas-Python\d+[^:]*:"), "awswrangler"),
    (re.compile(r":layer:aws-xray-sdk-python[^:]*:"), "aws-xray-sdk"),
)
_RUNTIME: Final = re.compile(rb"^[ \t]*(?:import|from)[ \t]+(?:boto3|botocore)\b", re.MULTILINE)
_RESPONSE: Final = re.compile(r"^[ \t]*(?:import|from)[ \t]+cfnresponse\b", re.MULTILINE)
_NAMED: Final = re.compile(r"^\s*(boto3|botocore)\b", re.MULTILINE | re.IGNORECASE)
_MAX_FILES: Final = 2_000
_SKIPPED: Final = ("node_modules", "__pycache__", "venv")
_MAX_BYTES: Final = 1024 * 1024


def package_of_layer(arn: str) -> str:
    """The requirement that stands for a public layer, "" if it is not known."""
    return next((package for pattern, package in _LAYERS if pattern.search(f"{arn}:")), "")


def runtime_packages(source: Path | None, code: str = "") -> list[str]:
    """boto3, if the code in the folder `source` (or the text `code`) imports it and its requirements.txt does
    not name it; for code in the template, cfnresponse as well. `source`: None for one that is not the
    application's."""
    if code:
        packages = ["boto3"] if _RUNTIME.search(code.encode("utf-8", "replace")) else []
        return [*packages, "cfnresponse"] if _RESPONSE.search(code) else packages
    if source is None:
        return []
    try:
        named = (source / "requirements.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        named = ""
    if _NAMED.search(named) or not any(_RUNTIME.search(text) for text in _texts(source)):
        return []
    return ["boto3"]


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
