"""Messages of gRPC as plain data, by the descriptors that the function has imported: names make them
readable, and say what is secret. Bytes of no known protocol stay bytes."""

from __future__ import annotations

import sys
from typing import Any

from relive_capture.typed_values import ValueCodec

__all__ = ["CODEC", "from_plain", "to_plain"]

CODEC = ValueCodec()
_FORMAT = {"preserving_proto_field_name": True}


def _class_of(method: str, *, answer: bool) -> Any:
    """The message class of a method's requests or answers. Raises what protobuf raises for what it does not
    know."""
    from google.protobuf import descriptor_pool, message_factory

    service, _, name = method.strip("/").rpartition("/")
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    return message_factory.GetMessageClass(found.output_type if answer else found.input_type)


def to_plain(method: str, data: bytes, *, answer: bool) -> object:
    """What stands for a message in the recording."""
    if "google.protobuf" in sys.modules:
        try:
            from google.protobuf import json_format

            message = _class_of(method, answer=answer).FromString(data)
            return {"message": json_format.MessageToDict(message, **_FORMAT)}
        except Exception:  # not a message of protobuf, or not in its pool
            pass
    return data


def from_plain(method: str, plain: object, *, answer: bool) -> bytes:
    """The bytes of it. Raises ValueError if they cannot be made."""
    if isinstance(plain, bytes):
        return plain
    if isinstance(plain, str):
        return plain.encode()
    if not isinstance(plain, dict) or "message" not in plain:
        raise ValueError("no message")
    try:
        from google.protobuf import json_format

        message = json_format.ParseDict(
            plain["message"], _class_of(method, answer=answer)(), ignore_unknown_fields=True
        )
    except Exception as error:
        raise ValueError(f"a message of {method} cannot be made: {error}") from error
    made: bytes = message.SerializeToString()
    return made
