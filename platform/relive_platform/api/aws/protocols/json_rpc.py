"""json 1.0 and 1.1: the operation in a header, the parameters in a JSON body. SQS's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from relive_platform.api.aws.errors import AwsError, validation_error
from relive_platform.api.aws.model.loading import ServiceModel
from relive_platform.api.aws.model.reading import Problems, Reader
from relive_platform.api.aws.model.writing import Writer
from relive_platform.api.aws.protocols.base import Answer, json_bytes, json_of, member_named
from relive_platform.api.aws.signature import Signed

__all__ = ["JsonRpc"]


class JsonRpc:
    """Its models may say that the service was once spoken to by queries: errors then have a second name."""

    name = "json"

    def __init__(self, model: ServiceModel, unchecked: Collection[str] = ()) -> None:
        self._model = model
        self._reader = Reader(model, unchecked)
        self._writer = Writer(model)
        self._prefix = str(model.metadata["targetPrefix"])
        self._type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"
        self._query_compatible = "awsQueryCompatible" in model.metadata

    def operation_of(self, request: Signed) -> tuple[str, Mapping[str, str]]:
        """By the header X-Amz-Target."""
        target = request.header("x-amz-target")
        prefix, _, operation = target.partition(".")
        if prefix != self._prefix or operation not in self._model.operations:
            raise AwsError(
                "UnknownOperationException",
                f"there is no operation {target[:200]!r}",
                query_code="InvalidAction",
            )
        return operation, {}

    def read(self, request: Signed, operation: str, in_path: Mapping[str, str]) -> dict[str, Any]:
        """Its parameters, checked. A service that was spoken to by queries has its own words for what is
        wrong, and a model that knows less than it takes."""
        name = self._model.shape_of(operation, "input")
        document = json_of(request.body)
        if not name:
            return {}
        problems = Problems()
        params: dict[str, Any] = self._reader.of(name)(document, "", problems)
        if problems and not self._query_compatible:
            raise validation_error(problems)
        return params

    def write(self, operation: str, result: Mapping[str, Any]) -> Answer:
        """A JSON object, empty if the operation gives nothing."""
        name = self._model.shape_of(operation, "output")
        document = self._writer.of(name)(result) if name else {}
        return Answer(200, {"content-type": self._type}, json_bytes(document))

    def write_error(self, error: AwsError, request_id: str) -> Answer:
        """`__type` is the exception's shape; the header has the code of the older protocol."""
        shape = self._model.shapes.get(error.code, {})
        about = shape.get("error", {})
        status = int(about.get("httpStatusCode", error.status))
        document = {
            "__type": f"com.amazonaws.{self._model.signing_name}#{error.code}",
            member_named(shape, "message", "Message") or "message": error.message,
            **{name: value for name, value in error.members.items() if value is not None},
        }
        headers = {"content-type": self._type}
        if self._query_compatible:
            code = error.query_code or about.get("code", error.code)
            headers["x-amzn-query-error"] = f"{code};{'Sender' if error.is_senders else 'Receiver'}"
        return Answer(status, headers, json_bytes(document))
