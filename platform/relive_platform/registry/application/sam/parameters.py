"""A template's parameters: what was given, else their defaults, checked against what the template allows."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.yaml_text import Map, Seq

__all__ = ["MISSING", "Parameters", "pseudo_parameters"]

MISSING: Final = object()
_MAX_QUANTIFIERS: Final = 3
_SECTION: Final = Place("Parameters")


def pseudo_parameters(application: str, region: str = "") -> dict[str, Any]:
    """What `AWS::...` stands for. Raises nothing; AWS::NoValue is not one of them."""
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    account = os.environ.get("RELIVE_AWS_ACCOUNT") or "000000000000"
    stack = f"arn:aws:cloudformation:{region}:{account}:stack/{application}/relive"
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackId": stack,
        "AWS::StackName": application,
        "AWS::URLSuffix": "amazonaws.com",
    }


class Parameters:
    """By name. One without a value is wrong only once something asks for it."""

    def __init__(self, section: object, given: Mapping[str, str], notes: Notes) -> None:
        self._notes = notes
        self._section = section if isinstance(section, Map) else Map()
        if section is not None and not isinstance(section, Map):
            notes.wrong(_SECTION, "it is not a mapping", "write NAME: {Type: String}")
        self._given = dict(given)
        for name in self._given:
            if name not in self._section:
                close = difflib.get_close_matches(name, list(self._section), n=1)
                known = f"its parameters are {', '.join(self._section)}" if self._section else "it has none"
                hint = f"did you mean {close[0]}?" if close else known
                notes.wrong(_SECTION, f"the template has no parameter {name!r}", hint)

    def __contains__(self, name: str) -> bool:
        return name in self._section

    def value(self, name: str) -> Any:
        """Its value, a text or a list of texts; MISSING if it has none, which is then noted."""
        at = _SECTION.below(self._section, name)
        declared = self._section[name]
        if not isinstance(declared, Map):
            self._notes.wrong(at, "it is not a mapping", "write {Type: String}")
            return MISSING
        kind = str(declared.get("Type", "String"))
        text = self._text(name, declared, at)
        if text is None:
            return MISSING
        if kind.startswith("AWS::SSM::Parameter::"):
            message = f"the value of the SSM parameter {text!r} is not looked up: the name stands for it"
            self._notes.ignore(at.below(declared, "Type"), message, f"give its value: --parameter {name}=...")
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [part.strip() for part in text.split(",")]
        return text

    def _text(self, name: str, declared: Map, at: Place) -> str | None:
        found = self._given.get(name, declared.get("Default", MISSING))
        if found is MISSING:
            self._notes.wrong(at, "it has no value", f"give one: --parameter {name}=VALUE")
            return None
        if isinstance(found, bool):
            found = "true" if found else "false"
        text = ",".join(map(str, found)) if isinstance(found, Seq) else str(found)
        shown = "its value" if declared.get("NoEcho") else f"{text!r}"
        allowed = declared.get("AllowedValues")
        if isinstance(allowed, Seq) and text not in [_plain(value) for value in allowed]:
            options = ", ".join(_plain(value) for value in allowed)
            self._notes.wrong(at, f"{shown} is not allowed", f"use one of {options}")
        pattern = declared.get("AllowedPattern")
        if isinstance(pattern, str) and not _matches(pattern, text):
            self._notes.wrong(at, f"{shown} does not match {pattern}", f"--parameter {name}=VALUE")
        return text


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(pattern: str, text: str) -> bool:
    """Simple patterns only: one that could take for ever, or that Python does not know, is not judged."""
    odd = (
        re.search(r"\)[*+{?]|\(\?|\\[1-9]", pattern) or len(re.findall(r"[*+{?]", pattern)) > _MAX_QUANTIFIERS
    )
    if odd or len(pattern) > 256 or len(text) > 256:
        return True
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return True
