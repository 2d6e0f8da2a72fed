"""The older protocol of SQS: parameters in a form, answers in XML. The model has forgotten its names; they
are here. Parameters become JSON values first, and are read as those are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.model.loading import ServiceModel
from relive_platform.api.aws.model.reading import Problems, Reader
from relive_platform.api.aws.model.writing import Writer
from relive_platform.api.aws.protocols.base import Answer
from relive_platform.api.aws.signature import Signed

__all__ = ["SqsQuery"]

_SPACE: Final = "http://queue.amazonaws.com/doc/2012-11-05/"
_MOST_FIELDS: Final = 1_000
_FORM: Final = "application/x-www-form-urlencoded"
_LISTS: Final = {  # members of the model, as a form and XML have them
    "AttributeNames": "AttributeName",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "MessageAttributeNames": "MessageAttributeName",
    "TagKeys": "TagKey",
    "Actions": "ActionName",
    "AWSAccountIds": "AWSAccountId",
    "QueueUrls": "QueueUrl",
    "queueUrls": "QueueUrl",
    "Messages": "Message",
    "Failed": "BatchResultErrorEntry",
}
_MAPS: Final = {
    "Attributes": ("Attribute", "Name", "Value"),
    "MessageAttributes": ("MessageAttribute", "Name", "Value"),
    "MessageSystemAttributes": ("MessageSystemAttribute", "Name", "Value"),
    "Tags": ("Tag", "Key", "Value"),
    "tags": ("Tag", "Key", "Value"),
}
_ODD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class SqsQuery:
    """Of requests whose bodies are forms."""

    name = "query"

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._reader = Reader(model)
        self._writer = Writer(model)

    def takes(self, request: Signed) -> bool:
        """Whether a request is one of this protocol."""
        return not request.header("x-amz-target") and request.header("content-type").startswith(_FORM)

    def operation_of(self, request: Signed) -> tuple[str, Mapping[str, str]]:
        """By the parameter Action."""
        operation = _fields(request).get("Action", "")
        if operation not in self._model.operations:
            message = f"The action {operation[:200]} is not valid for this endpoint."
            raise AwsError("InvalidAction", message, query_code="InvalidAction")
        return operation, {}

    def read(self, request: Signed, operation: str, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Its parameters. A queue's URL may be the request's own."""
        name = self._model.shape_of(operation, "input")
        if not name:
            return {}
        fields = _fields(request)
        shape = self._model.shapes[name]
        path = request.target.partition("?")[0]
        if "QueueUrl" in shape["members"] and not fields.get("QueueUrl") and path != "/":
            fields["QueueUrl"] = path
        document = self._structure(shape, "", fields, operation)
        found: dict[str, Any] = self._reader.of(name)(document, "", Problems())
        return found

    def _structure(
        self, shape: Mapping[str, Any], prefix: str, fields: Mapping[str, str], operation: str
    ) -> dict[str, Any]:
        found = {}
        for name, member in shape["members"].items():
            value = self._member(name, self._model.shapes[member["shape"]], prefix, fields, operation)
            if value is not None:
                found[name] = value
        return found

    def _member(
        self, name: str, shape: Mapping[str, Any], prefix: str, fields: Mapping[str, str], operation: str
    ) -> Any:
        kind = shape["type"]
        if kind == "map":
            wire, key, value = _MAPS[name]
            return self._map(shape, f"{prefix}{wire}.", (key, value), fields, operation) or None
        if kind == "list":
            wire = f"{operation}RequestEntry" if name == "Entries" else _LISTS.get(name, name)
            member = self._model.shapes[shape["member"]["shape"]]
            entries = [self._value(member, f"{prefix}{wire}.{number}", fields, operation)
                       for number in _numbers(fields, f"{prefix}{wire}.")]  # fmt: skip
            return entries or None
        return self._value(shape, prefix + name, fields, operation)

    def _map(
        self,
        shape: Mapping[str, Any],
        prefix: str,
        names: tuple[str, str],
        fields: Mapping[str, str],
        operation: str,
    ) -> dict[str, Any]:
        member = self._model.shapes[shape["value"]["shape"]]
        found = {}
        for number in _numbers(fields, prefix):
            key = fields.get(f"{prefix}{number}.{names[0]}")
            value = self._value(member, f"{prefix}{number}.{names[1]}", fields, operation)
            if key is not None and value is not None:
                found[key] = value
        return found

    def _value(self, shape: Mapping[str, Any], path: str, fields: Mapping[str, str], operation: str) -> Any:
        if shape["type"] == "structure":
            return self._structure(shape, f"{path}.", fields, operation) or None
        text = fields.get(path)
        if text is None or shape["type"] not in ("integer", "long", "boolean"):
            return text
        if shape["type"] == "boolean":
            return text.lower() == "true"
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            message = f"Value {text[:100]} for parameter {path} is invalid. Reason: It is no whole number."
            raise AwsError("InvalidParameterValue", message, query_code="InvalidParameterValue")
        return int(text)

    # ------------------------------------------------------------ out

    def write(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """XML with a result element, if the operation gives anything."""
        name = self._model.shape_of(operation, "output")
        inner = ""
        if name:
            document = self._writer.of(name)(result)
            inner = f"<{operation}Result>{''.join(_xml(document, operation))}</{operation}Result>"
        body = (
            f'<?xml version="1.0"?><{operation}Response xmlns="{_SPACE}">{inner}'
            f"<ResponseMetadata><RequestId></RequestId></ResponseMetadata></{operation}Response>"
        )
        return _answer(200, body)

    def write_error(self, error: AwsError, request_id: str) -> Answer:
        """An ErrorResponse."""
        who = "Sender" if error.is_senders else "Receiver"
        told = (("Type", who), ("Code", error.query_code or error.code), ("Message", error.message))
        inner = "".join(f"<{name}>{_text(text)}</{name}>" for name, text in told)
        body = (
            f'<?xml version="1.0"?><ErrorResponse xmlns="{_SPACE}"><Error>{inner}<Detail/></Error>'
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return _answer(error.status, body)


def _answer(status: int, body: str) -> Answer:
    return Answer(status, {"content-type": "text/xml"}, body.encode("utf-8", "replace"))


def _fields(request: Signed) -> dict[str, str]:
    text = request.body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"The form cannot be read: {error}") from None


def _numbers(fields: Mapping[str, str], prefix: str) -> list[int]:
    """The numbers that come after `prefix`."""
    found = {name[len(prefix) :].partition(".")[0] for name in fields if name.startswith(prefix)}
    return sorted(int(text) for text in found if text.isascii() and text.isdecimal() and len(text) < 5)


def _xml(document: Mapping[str, Any], operation: str) -> Iterator[str]:
    """The elements of a structure."""
    for name, value in document.items():
        if name in _MAPS and isinstance(value, dict):
            wire, key, word = _MAPS[name]
            for inner, entry in value.items():
                shown = f"<{word}>{_inside(entry, operation)}</{word}>"
                yield f"<{wire}><{key}>{_text(inner)}</{key}>{shown}</{wire}>"
        elif isinstance(value, list):
            default = f"{operation}ResultEntry"
            wire = default if name in ("Successful", "Results") else _LISTS.get(name, name)
            for entry in value:
                yield f"<{wire}>{_inside(entry, operation)}</{wire}>"
        elif value is not None:
            yield f"<{name}>{_inside(value, operation)}</{name}>"


def _inside(value: Any, operation: str) -> str:
    if isinstance(value, dict):
        return "".join(_xml(value, operation))
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(str(value))


def _text(text: str) -> str:
    """What XML cannot hold is replaced; a carriage return survives a parser only as a reference."""
    return escape(_ODD.sub("\ufffd", text), {"\r": "&#xD;", '"': "&quot;"})
