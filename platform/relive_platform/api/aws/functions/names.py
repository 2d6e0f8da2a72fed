"""How callers name functions: bare, partial ARN or full ARN, each with a qualifier or without."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.service import Call
from relive_platform.engine.qualifiers import LATEST

__all__ = [
    "Named", "alias_missing", "arn_of", "event_source_arn", "function_missing", "layer_arn", "named",
    "resource_missing", "resource_name",
]  # fmt: skip

_FUNCTION: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):(?P<account>\d{12}):(?:function:)?"
    r"|(?:[a-z]{2}(?:-[a-z]+)+-\d:)?(?P<partial>\d{12}):(?:function:)?|function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]{1,256})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]{1,128}))?"
)
_INVOKED: Final = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")


@dataclass(frozen=True, slots=True)
class Named:
    """A function as a caller named it. `qualifier`: "" if there is none."""

    name: str
    qualifier: str = ""


def named(call: Call, member: str = "FunctionName") -> Named:
    """The function that a request is for; the parameter Qualifier must not say otherwise than the name."""
    text = str(call.params[member])
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise AwsError(
            "InvalidParameterValueException" if len(text) <= 140 else "ValidationException",
            f"1 validation error detected: Value '{text[:200]}' at 'functionName' failed to satisfy"
            " constraint: Member must be a function's name of up to 64 letters, digits, - and _, or its ARN",
        )
    region, account = match["region"], match["account"] or match["partial"]
    found, asked = match["qualifier"] or "", str(call.get("Qualifier") or "")
    if found and asked and found != asked:
        raise AwsError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
    if region and region != call.region:
        message = f"Functions from '{region}' are not reachable in this region ('{call.region}')"
        raise AwsError("ResourceNotFoundException", message, 404)
    if account and account != call.account:
        raise AwsError(
            "AccessDeniedException",
            f"not authorized to perform: lambda:{call.operation} on resource: {text[:200]}: the functions of"
            f" this server are of the account {call.account} (RELIVE_AWS_ACCOUNT)",
            403,
        )
    return Named(match["name"], asked or found)


def arn_of(call: Call, name: str, qualifier: str = "") -> str:
    """A function's ARN, in the region that the caller asked in."""
    end = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{call.region}:{call.account}:function:{name}{end}"


def layer_arn(call: Call, name: str, version: int = 0) -> str:
    """A layer's, or that of one of its versions."""
    end = f":{version}" if version else ""
    return f"arn:aws:lambda:{call.region}:{call.account}:layer:{name}{end}"


def event_source_arn(call: Call, uuid: str) -> str:
    """An event source mapping's."""
    return f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:{uuid}"


def resource_name(arn: str) -> tuple[str, str]:
    """Kind and name of the resource in an ARN of Lambda: ("function", "checkout")."""
    parts = arn.split(":")
    kind, name = (parts[5], parts[6]) if len(parts) > 6 else ("", "")
    return kind, name


def function_missing(call: Call, name: Named) -> AwsError:
    """There is no such function, version or alias."""
    qualifier = name.qualifier or (LATEST if call.operation in _INVOKED else "")
    arn = arn_of(call, name.name, qualifier)
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)


def alias_missing(call: Call, name: Named) -> AwsError:
    """As those say it that are about aliases."""
    arn = arn_of(call, name.name, name.qualifier)
    return AwsError("ResourceNotFoundException", f"Cannot find alias arn: {arn}", 404)


def resource_missing() -> AwsError:
    """There is nothing of what is asked for; whether there is its function is not told."""
    return AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
