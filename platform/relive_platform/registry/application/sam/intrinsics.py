"""CloudFormation's functions, evaluated: `Ref`, `Fn::GetAtt`, `Fn::Sub`, conditions and the others."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from relive_platform.registry.application.sam.names import Names
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.parameters import MISSING, Parameters
from relive_platform.registry.application.sam.yaml_text import Map, Seq

__all__ = ["NO_VALUE", "Evaluator", "as_text"]

NO_VALUE: Final = object()
"""What `AWS::NoValue` and what has no value evaluate to: the key that has it is left out."""

_MAX_STEPS: Final = 100_000
_MAX_DEPTH: Final = 100
_MAX_TEXT: Final = 1024 * 1024
_VARIABLE: Final = re.compile(r"\$\{(!?)([^${}]*)\}")
_DYNAMIC: Final = "{{resolve:"


class Evaluator:
    """Evaluates values of one template, within bounds. What it cannot evaluate is noted, with its place."""

    def __init__(
        self, template: Map, parameters: Parameters, names: Names, notes: Notes, pseudo: Mapping[str, Any]
    ) -> None:
        self._template = template
        self._parameters = parameters
        self._names = names
        self._notes = notes
        self._pseudo = pseudo
        self._steps = 0
        self._depth = 0
        self._judged: dict[str, bool | None] = {}  # conditions; None while one is being judged
        self._physical: dict[str, str] = {}
        self._functions: dict[str, Callable[[Any, Place], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Base64": self._base64,
            "Fn::GetAZs": self._zones,
            "Fn::Length": self._length,
            "Fn::ToJsonString": self._to_json,
            "Fn::ImportValue": self._import,
        }

    # ------------------------------------------------------------ values

    def value(self, found: Any, at: Place) -> Any:
        """`found` with every function in it evaluated; NO_VALUE if nothing is left of it. Raises ConfigError
        for a function that is written wrongly."""
        self._steps += 1
        self._depth += 1
        try:
            if self._steps > _MAX_STEPS or self._depth > _MAX_DEPTH:
                raise self._notes.error(at, "there is too much to evaluate", "write a simpler template")
            return self._value(found, at)
        finally:
            self._depth -= 1

    def _value(self, found: Any, at: Place) -> Any:
        if isinstance(found, Map):
            if len(found) == 1:
                ((name, argument),) = found.items()
                if name in self._functions:
                    return self._functions[name](argument, at)
                if name.startswith("Fn::") or name == "Condition":
                    return self._unknown(name, argument, at)
            return self._map(found, at)
        if isinstance(found, Seq):
            return self._seq(found, at)
        if isinstance(found, str) and _DYNAMIC in found:
            self._notes.ignore(at, "what it refers to is not looked up", "it stays the text that it is")
        return found

    def _map(self, found: Map, at: Place) -> Map:
        out = Map(found.line)
        for key, value in found.items():
            evaluated = self.value(value, at.below(found, key))
            if evaluated is not NO_VALUE:
                out.put(key, evaluated, found.line_of(key))
        return out

    def _seq(self, found: Seq, at: Place) -> Seq:
        out = Seq(found.line)
        for index, item in enumerate(found):
            evaluated = self.value(item, at.below(found, index))
            if evaluated is not NO_VALUE:
                out.put(evaluated, found.line_of(index))
        return out

    def text(self, found: Any, at: Place) -> str:
        """A text; numbers and truth values as CloudFormation writes them. "" for none."""
        value = self.value(found, at)
        return "" if value is NO_VALUE or value is None else as_text(value)

    def _unknown(self, name: str, argument: Any, at: Place) -> Any:
        self._notes.ignore(at, f"{name} is not evaluated")
        return NO_VALUE if isinstance(argument, Map | Seq) else as_text(argument)

    # ------------------------------------------------------------ references

    def _ref(self, name: Any, at: Place) -> Any:
        if not isinstance(name, str):
            raise self._notes.error(at, "Ref does not name a text", "write Ref: NAME")
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            value = self._parameters.value(name)
            return NO_VALUE if value is MISSING else value
        if name in self._names.types:
            return self._names.ref(name, self.physical(name))
        base = name.partition(".")[0]
        if base in self._names.types:  # SAM's Function.Version, Function.Alias, Api.Stage
            return self.physical(base)
        self._notes.ignore(at, f"Ref {name}: the template has nothing of that name", "it stays the name")
        return name

    def physical(self, logical: str) -> str:
        """The name of a resource: its name property, else its logical id."""
        if logical not in self._physical:
            self._physical[logical] = logical  # for a name that refers to itself
            resource = self._template["Resources"][logical]
            properties = resource.get("Properties") if isinstance(resource, Map) else None
            key = self._names.key_of(self._names.types[logical])
            if key and isinstance(properties, Map) and key in properties:
                at = Place(f"Resources.{logical}.Properties.{key}", properties.line_of(key))
                self._physical[logical] = self.text(properties[key], at) or logical
        return self._physical[logical]

    def _get_att(self, argument: Any, at: Place) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else list(argument or [])
        if len(parts) != 2 or not isinstance(parts[0], str):
            raise self._notes.error(at, "GetAtt names no resource and attribute", "as in !GetAtt Queue.Arn")
        return self._attribute(parts[0], self.text(parts[1], at), at)

    def _attribute(self, logical: str, attribute: str, at: Place) -> str:
        if logical not in self._names.types:
            message = f"GetAtt {logical}.{attribute}: the template has nothing of that name"
            self._notes.ignore(at, message, "it stays the name")
            return f"{logical}.{attribute}"
        found = self._names.attribute(logical, self.physical(logical), attribute)
        if found is None:
            kind = self._names.types[logical]
            self._notes.ignore(at, f"{attribute} of an {kind} is not known here", "it stays the name")
            return f"{logical}.{attribute}"
        return found

    # ------------------------------------------------------------ texts

    def _sub(self, argument: Any, at: Place) -> str:
        text, own = argument, Map()
        if isinstance(argument, Seq) and len(argument) == 2 and isinstance(argument[1], Map):
            text, own = argument
        if not isinstance(text, str):
            raise self._notes.error(at, "Fn::Sub has no text", "as in !Sub 'arn:aws:s3:::${Bucket}'")
        parts: list[str] = []
        size, end = 0, 0
        for match in _VARIABLE.finditer(text):
            parts += [text[end : match.start()], self._variable(match, own, at)]
            end = match.end()
            size += len(parts[-1])
            self._bound(size, at)
        return "".join([*parts, text[end:]])

    def _variable(self, match: re.Match[str], own: Map, at: Place) -> str:
        name = match[2].strip()
        if match[1]:
            return "${" + match[2] + "}"
        if name in own:
            return self.text(own[name], at)
        if "." in name and name not in self._names.types:
            logical, _, attribute = name.partition(".")
            return as_text(self.value(_call("Fn::GetAtt", f"{logical}.{attribute}"), at))
        found = self.value(_call("Ref", name), at)
        return "" if found is NO_VALUE else as_text(found)

    def _join(self, argument: Any, at: Place) -> str:
        if not isinstance(argument, Seq) or len(argument) != 2:
            raise self._notes.error(at, "Fn::Join has not two arguments", "as in !Join ['-', [a, b]]")
        between, items = self.text(argument[0], at), self.value(argument[1], at)
        if not isinstance(items, list):
            raise self._notes.error(at, "Fn::Join has no list", "as in !Join ['-', [a, b]]")
        texts = [as_text(item) for item in items]
        self._bound(sum(map(len, texts)) + len(between) * len(texts), at)
        return between.join(texts)

    def _split(self, argument: Any, at: Place) -> Seq:
        if not isinstance(argument, Seq) or len(argument) != 2:
            raise self._notes.error(at, "Fn::Split has not two arguments", "as in !Split [',', text]")
        separator, text = self.text(argument[0], at), self.text(argument[1], at)
        out = Seq(at.line)
        for part in text.split(separator) if separator else [text]:
            out.put(part, at.line)
        self._steps += len(out)
        return out

    def _select(self, argument: Any, at: Place) -> Any:
        if not isinstance(argument, Seq) or len(argument) != 2:
            raise self._notes.error(at, "Fn::Select has not two arguments", "as in !Select [0, [a, b]]")
        index, items = self.text(argument[0], at), self.value(argument[1], at)
        if not isinstance(items, list) or not index.isdecimal() or int(index) >= len(items):
            raise self._notes.error(at, f"Fn::Select: there is no item {index}", "count from 0")
        return items[int(index)]

    def _base64(self, argument: Any, at: Place) -> str:
        return base64.b64encode(self.text(argument, at).encode()).decode()

    def _to_json(self, argument: Any, at: Place) -> str:
        text = json.dumps(self.value(argument, at), separators=(",", ":"), default=str)
        self._bound(len(text), at)
        return text

    def _length(self, argument: Any, at: Place) -> Any:
        found = self.value(argument, at)
        return len(found) if isinstance(found, list) else 0

    def _zones(self, argument: Any, at: Place) -> list[str]:
        region = self.text(argument, at) or str(self._pseudo["AWS::Region"])
        return [f"{region}{letter}" for letter in "abc"]

    def _import(self, argument: Any, at: Place) -> str:
        name = self.text(argument, at)
        self._notes.ignore(at, f"Fn::ImportValue {name}: other stacks are not read", "it stays the name")
        return name

    def _bound(self, size: int, at: Place) -> None:
        if size > _MAX_TEXT:
            raise self._notes.error(at, "the text is over 1 MiB", "write a simpler template")

    # ------------------------------------------------------------ maps and conditions

    def _find_in_map(self, argument: Any, at: Place) -> Any:
        keys = [self.text(part, at) for part in argument[:3]] if isinstance(argument, Seq) else []
        if len(keys) != 3:
            raise self._notes.error(at, "Fn::FindInMap has not three keys", "as in !FindInMap [Map, a, b]")
        found: Any = self._template.get("Mappings")
        for key in keys:
            found = found.get(key, MISSING) if isinstance(found, Map) else MISSING
        if found is not MISSING:
            return self.value(found, at)
        options = argument[3] if len(argument) > 3 else None
        if isinstance(options, Map) and "DefaultValue" in options:
            return self.value(options["DefaultValue"], at)
        raise self._notes.error(at, f"Mappings has no {'.'.join(keys)}", "add it, or a DefaultValue")

    def _if(self, argument: Any, at: Place) -> Any:
        if not isinstance(argument, Seq) or len(argument) != 3 or not isinstance(argument[0], str):
            raise self._notes.error(at, "Fn::If has not three arguments", "as in !If [IsProd, a, b]")
        return self.value(argument[1 if self.condition(argument[0], at) else 2], at)

    def condition(self, name: str, at: Place) -> bool:
        """Whether a condition of the template holds. Raises ConfigError."""
        section = self._template.get("Conditions")
        if name not in self._judged:
            if not isinstance(section, Map) or name not in section:
                raise self._notes.error(at, f"there is no condition {name!r}", "add it to Conditions")
            self._judged[name] = None
            self._judged[name] = self._judge(
                section[name], Place(f"Conditions.{name}", section.line_of(name))
            )
        found = self._judged[name]
        if found is None:
            raise self._notes.error(at, f"the condition {name!r} refers to itself", "break the circle")
        return found

    def _judge(self, found: Any, at: Place) -> bool:
        self._steps += 1
        self._depth += 1
        try:
            if self._steps > _MAX_STEPS or self._depth > _MAX_DEPTH:
                raise self._notes.error(at, "there is too much to evaluate", "write a simpler template")
            return self._judgement(found, at)
        finally:
            self._depth -= 1

    def _judgement(self, found: Any, at: Place) -> bool:
        name, argument = (
            next(iter(found.items())) if isinstance(found, Map) and len(found) == 1 else ("", None)
        )
        if name == "Condition" and isinstance(argument, str):
            return self.condition(argument, at)
        arguments = argument if isinstance(argument, Seq) else Seq()
        if name == "Fn::Equals" and len(arguments) == 2:
            first, second = (self.value(part, at) for part in arguments)
            return as_text(first) == as_text(second)
        if name == "Fn::Not" and len(arguments) == 1:
            return not self._judge(arguments[0], at)
        if name == "Fn::And" and arguments:
            return all(self._judge(part, at) for part in arguments)
        if name == "Fn::Or" and arguments:
            return any(self._judge(part, at) for part in arguments)
        hint = "use Fn::Equals, Fn::Not, Fn::And, Fn::Or or Condition"
        raise self._notes.error(at, "it is not a condition", hint)


def _call(key: str, value: Any) -> Map:
    """A mapping of one key."""
    found = Map()
    found.put(key, value, 0)
    return found


def as_text(value: Any) -> str:
    """A value as CloudFormation writes it where a text is wanted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), default=str)
    return "" if value is NO_VALUE else str(value)
