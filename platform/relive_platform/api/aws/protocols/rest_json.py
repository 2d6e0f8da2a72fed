"""rest-json: parameters in path, query, headers and a JSON body. Lambda's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from relive_platform.api.aws.errors import AwsError, validation_error
from relive_platform.api.aws.model.loading import ServiceModel
from relive_platform.api.aws.model.reading import Problems, Read, Reader, lower, serialization_error
from relive_platform.api.aws.model.routes import PathRoutes
from relive_platform.api.aws.model.writing import Write, Writer
from relive_platform.api.aws.protocols.base import Answer, json_bytes, json_of, member_named
from relive_platform.api.aws.signature import Signed

__all__ = ["RestJson"]

_JSON: Final = {"content-type": "application/json"}
_MOST_FIELDS: Final = 500
_NO_CONTENT: Final = 204


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a parameter stands outside of the JSON body."""

    name: str
    place: str  # "uri" | "querystring" | "header" | "payload"
    wire: str
    kind: str
    read: Read


@dataclass(frozen=True, slots=True)
class _Input:
    placed: tuple[_Member, ...] = ()
    body: Read | None = None  # of a JSON object with the other members
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Output:
    status: int
    status_member: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: str = ""
    write: Write | None = None


class RestJson:
    """Compiled for each operation when it is first asked for."""

    name = "rest-json"

    def __init__(self, model: ServiceModel, unchecked: Collection[str] = ()) -> None:
        self._model = model
        self._reader = Reader(model, unchecked)
        self._writer = Writer(model)
        self._routes = PathRoutes(model)
        self._inputs: dict[str, _Input] = {}
        self._outputs: dict[str, _Output] = {}

    # ------------------------------------------------------------ in

    def operation_of(self, request: Signed) -> tuple[str, Mapping[str, str]]:
        """By method, path and query."""
        path, _, query = request.target.partition("?")
        match = self._routes.find(request.method, path, _query(query))
        if match is None:
            raise AwsError(
                "UnknownOperationException", f"there is no operation {request.method} {path[:200]}", 404
            )
        return match.operation, match.parameters

    def read(self, request: Signed, operation: str, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Its parameters, checked."""
        found = self._inputs.get(operation)
        if found is None:
            found = self._inputs[operation] = self._input(operation)
        problems = Problems()
        query = _query(request.target.partition("?")[2])
        params: dict[str, Any] = {}
        if found.body is not None:
            document = json_of(request.body)
            if not isinstance(document, dict):
                raise serialization_error("body", document, "an object")
            params = found.body(document, "", problems)
        for member in found.placed:
            value = self._placed(member, request, in_path, query)
            if value is not None:
                params[member.name] = member.read(value, lower(member.name), problems)
        for name in found.required:
            if name not in params:
                problems.add(None, lower(name), "not be null")
        if problems:
            raise validation_error(problems)
        return params

    def _placed(
        self, member: _Member, request: Signed, in_path: Mapping[str, str], query: dict[str, list[str]]
    ) -> Any:
        if member.place == "uri":
            return _from_text(member, in_path[member.wire])
        if member.place == "payload":
            return request.body if member.kind == "blob" else json_of(request.body)
        if member.place == "header":
            text = request.header(member.wire)
            return _from_text(member, text) if text else None
        values = query.get(member.wire)
        if not values:
            return None
        return values if member.kind == "list" else _from_text(member, values[0])

    def _input(self, operation: str) -> _Input:
        name = self._model.shape_of(operation, "input")
        if not name:
            return _Input()
        shape = self._model.shapes[name]
        payload = shape.get("payload", "")
        placed, rest = [], {}
        for key, member in shape.get("members", {}).items():
            place = "payload" if key == payload else member.get("location", "")
            if place:
                kind = self._model.shapes[member["shape"]]["type"]
                wire = str(member.get("locationName", key))
                wire = wire.lower() if place == "header" else wire
                placed.append(_Member(key, place, wire, kind, self._reader.of(member["shape"])))
            else:
                rest[key] = member
        body = self._reader.structure({**shape, "members": rest, "required": []}) if rest else None
        return _Input(tuple(placed), body, tuple(shape.get("required", ())))

    # ------------------------------------------------------------ out

    def write(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """Status and headers by the model; the rest is the body."""
        found = self._outputs.get(operation)
        if found is None:
            found = self._outputs[operation] = self._output(operation)
        status = int(result.get(found.status_member, found.status)) if found.status_member else found.status
        headers = dict(_JSON)
        for name, wire in found.headers.items():
            if result.get(name) is not None:
                headers[wire.lower()] = str(result[name])
        if status == _NO_CONTENT:
            return Answer(status, {name: value for name, value in headers.items() if name not in _JSON})
        if found.payload:
            return Answer(status, headers, bytes(result.get(found.payload) or b""))
        return Answer(status, headers, json_bytes(found.write(result)) if found.write else b"")

    def _output(self, operation: str) -> _Output:
        status = int(self._model.http(operation).get("responseCode", 200))
        name = self._model.shape_of(operation, "output")
        if not name:
            return _Output(status)
        shape = self._model.shapes[name]
        places = {key: member.get("location", "") for key, member in shape.get("members", {}).items()}
        return _Output(
            status,
            next((key for key, place in places.items() if place == "statusCode"), ""),
            {
                key: str(shape["members"][key].get("locationName", key))
                for key, place in places.items()
                if place == "header"
            },
            shape.get("payload", ""),
            self._writer.of(name),
        )

    def write_error(self, error: AwsError, request_id: str) -> Answer:
        """The exception's members, as the model has them."""
        shape = self._model.shapes.get(error.code, {})
        status = int(shape.get("error", {}).get("httpStatusCode", error.status))
        document = {"Type": "User" if error.is_senders else "Service"}
        document[member_named(shape, "Message", "message") or "message"] = error.message
        document.update({name: value for name, value in error.members.items() if value is not None})
        return Answer(status, {**_JSON, "x-amzn-errortype": error.code}, json_bytes(document))


def _query(text: str) -> dict[str, list[str]]:
    if not text:
        return {}
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise AwsError("SerializationException", f"the query has over {_MOST_FIELDS} fields") from error


def _whole(text: str) -> int:
    if len(text) > 20:
        raise ValueError
    return int(text)


_FROM_TEXT: Final[dict[str, Callable[[str], Any]]] = {
    "integer": _whole,
    "long": _whole,
    "float": float,
    "double": float,
    "boolean": lambda text: {"true": True, "false": False}[text.lower()],
}


def _from_text(member: _Member, text: str) -> Any:
    convert = _FROM_TEXT.get(member.kind)
    if convert is None:
        return text
    try:
        return convert(text)
    except (ValueError, KeyError) as error:
        raise serialization_error(lower(member.name), text, f"{member.kind}") from error
