"""From JSON values to parameters: each shape becomes a function that reads and checks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.model.loading import ServiceModel

__all__ = ["Problems", "Read", "Reader", "lower", "serialization_error"]

_SHOWN: Final = 500
_MOST_PROBLEMS: Final = 20
_LONGEST_MATCHED: Final = 10_000  # a pattern is not tried on a longer text


class Problems(list[str]):
    """What breaks a constraint, as AWS words it."""

    def add(self, value: object, path: str, constraint: str, who: str = "Member must ") -> None:
        """`path`: as in `environment.variables`."""
        if len(self) < _MOST_PROBLEMS:
            shown = "null" if value is None else f"'{_shown(value)[:_SHOWN]}'"
            self.append(f"Value {shown} at '{path}' failed to satisfy constraint: {who}{constraint}")


Read = Callable[[Any, str, Problems], Any]


def _shown(value: object) -> str:
    """As AWS writes it: [a, b], {key=value}."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value[:_SHOWN]))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_shown(inner)}' for key, inner in list(value.items())[:_SHOWN])}}}"
    return str(value)


def serialization_error(path: str, value: object, wanted: str) -> AwsError:
    """A value of another type than the model's."""
    kind = {bool: "TRUE_VALUE" if value else "FALSE_VALUE", str: "STRING_VALUE", dict: "START_OBJECT",
            list: "START_ARRAY", type(None): "NULL_VALUE"}.get(type(value), "NUMBER_VALUE")  # fmt: skip
    path = path or "body"
    return AwsError("SerializationException", f"{kind} can not be converted to {wanted} (at '{path}')")


def lower(name: str) -> str:
    """`FunctionName` as messages have it: `functionName`."""
    return name[:1].lower() + name[1:]


class Reader:
    """Compiles shapes, each once."""

    def __init__(self, model: ServiceModel, unchecked: Collection[str] = ()) -> None:
        """`unchecked`: shapes of texts whose pattern need not fit, as nothing is made of them."""
        self._model = model
        self._unchecked = unchecked
        self._known: dict[str, Read] = {}

    def of(self, shape: str) -> Read:
        """The function that reads a shape; what refers to itself is found when it is called."""
        found = self._known.get(shape)
        if found is None:
            self._known[shape] = lambda value, path, problems: self._known[shape](value, path, problems)
            found = self._known[shape] = self._compile(shape)
        return found

    def _compile(self, name: str) -> Read:
        shape = self._model.shapes[name]
        kind = shape["type"]
        if name in self._unchecked:
            shape = {**shape, "pattern": ""}
        if kind == "structure":
            return self.structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        return _SCALARS[kind](shape)

    def structure(self, shape: dict[str, Any]) -> Read:
        """The function that reads an object with the members of `shape`."""
        members = [
            (name, str(member.get("locationName", name)), self.of(member["shape"]))
            for name, member in shape.get("members", {}).items()
        ]
        required = shape.get("required", [])

        def read(value: Any, path: str, problems: Problems) -> Any:
            if not isinstance(value, dict):
                raise serialization_error(path, value, "an object")
            found = {}
            for name, wire, reader in members:
                given = value.get(wire)
                if given is not None:
                    found[name] = reader(given, _below(path, name), problems)
            for name in required:
                if name not in found:
                    problems.add(None, _below(path, name), "not be null")
            return found

        return read

    def _list(self, shape: dict[str, Any]) -> Read:
        reader = self.of(shape["member"]["shape"])
        size = _size(shape)
        inner = self._model.shapes[shape["member"]["shape"]]
        constraints = _constraints(inner, null=True) if inner["type"] in _SCALARS else ""

        def read(value: Any, path: str, problems: Problems) -> Any:
            if not isinstance(value, list):
                raise serialization_error(path, value, "a list")
            size(value, len(value), path, problems)
            found = Problems() if constraints else problems
            entries = [
                reader(entry, f"{path}.{number}.member", found)
                for number, entry in enumerate(value, 1)
                if entry is not None
            ]
            if constraints and found:
                problems.add(value, path, f"satisfy constraint: {constraints}")
            return entries

        return read

    def _map(self, shape: dict[str, Any]) -> Read:
        key = self.of(shape["key"]["shape"])
        reader = self.of(shape["value"]["shape"])
        size = _size(shape)
        inner = self._model.shapes[shape["value"]["shape"]]
        of_keys = _constraints(self._model.shapes[shape["key"]["shape"]], null=False)
        of_values = _constraints(inner, null=True) if inner["type"] in _SCALARS else ""
        decimal = inner["type"] in ("float", "double")

        def read(value: Any, path: str, problems: Problems) -> Any:
            if not isinstance(value, dict):
                raise serialization_error(path, value, "a map")
            size(value, len(value), path, problems)
            keys, values = Problems(), Problems() if of_values else problems
            entries = {
                key(name, path, keys): reader(entry, f"{path}.{name}.member", values)
                for name, entry in value.items()
                if entry is not None
            }
            if keys:
                problems.add(value, path, of_keys, "Map keys must satisfy constraint: ")
            if of_values and values:
                value = {name: float(entry) for name, entry in value.items()} if decimal else value
                problems.add(value, path, of_values, "Map value must satisfy constraint: ")
            return entries

        return read


def _below(path: str, name: str) -> str:
    return f"{path}.{lower(name)}" if path else lower(name)


def _constraints(shape: dict[str, Any], *, null: bool) -> str:
    """All of a scalar's, as AWS lists them for members of lists and maps. `null`: none may be left out."""
    what = "length" if shape["type"] in ("string", "character", "blob") else "value"
    limit = float if shape["type"] in ("float", "double") else int
    found = [f"have {what} less than or equal to {limit(shape['max'])}"] if "max" in shape else []
    found += [f"have {what} greater than or equal to {limit(shape['min'])}"] if "min" in shape else []
    found += [f"satisfy regular expression pattern: {shape['pattern']}"] if shape.get("pattern") else []
    found += [f"satisfy enum value set: [{', '.join(shape['enum'])}]"] if "enum" in shape else []
    found += ["not be null"] if null else []
    return f"[{', '.join(f'Member must {one}' for one in found)}]"


def _size(shape: dict[str, Any]) -> Callable[[Any, int, str, Problems], None]:
    low, high = shape.get("min"), shape.get("max")

    def check(value: Any, size: int, path: str, problems: Problems) -> None:
        if low is not None and size < low:
            problems.add(value, path, f"have length greater than or equal to {low}")
        if high is not None and size > high:
            problems.add(value, path, f"have length less than or equal to {high}")

    return check


def _string(shape: dict[str, Any]) -> Read:
    size = _size(shape)
    choices = shape.get("enum")
    pattern = _pattern(shape.get("pattern", ""))

    def read(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            raise serialization_error(path, value, "a String")
        size(value, len(value), path, problems)
        if choices and value not in choices:
            problems.add(value, path, f"satisfy enum value set: [{', '.join(choices)}]")
        if pattern is not None and len(value) <= _LONGEST_MATCHED and not pattern.fullmatch(value):
            problems.add(value, path, f"satisfy regular expression pattern: {pattern.pattern}")
        return value

    return read


def _pattern(text: str) -> re.Pattern[str] | None:
    """None if there is none, or it is no pattern in Python."""
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error:
        return None


def _number(shape: dict[str, Any]) -> Read:
    low, high = shape.get("min"), shape.get("max")
    whole = shape["type"] in ("integer", "long")
    wanted = ("an Integer" if shape["type"] == "integer" else "a Long") if whole else "a Double"

    def read(value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise serialization_error(path, value, wanted)
        if low is not None and not value >= low:
            problems.add(value, path, f"have value greater than or equal to {low}")
        if high is not None and not value <= high:
            problems.add(value, path, f"have value less than or equal to {high}")
        return value

    return read


def _boolean(shape: dict[str, Any]) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, bool):
            raise serialization_error(path, value, "a Boolean")
        return value

    return read


def _blob(shape: dict[str, Any]) -> Read:
    size = _size(shape)

    def read(value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            raise serialization_error(path, value, "a blob")
        try:
            found = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise AwsError("SerializationException", f"'{path}' is not base64") from error
        size("(a blob)", len(found), path, problems)
        return found

    return read


def _timestamp(shape: dict[str, Any]) -> Read:
    def read(value: Any, path: str, problems: Problems) -> Any:
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value, UTC)
            found = datetime.fromisoformat(value)
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise serialization_error(path, value, "a Timestamp") from error
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

    return read


_SCALARS: Final[dict[str, Callable[[dict[str, Any]], Read]]] = {
    "string": _string,
    "character": _string,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}
