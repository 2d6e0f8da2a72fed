"""What a function may read from or send to, as Lambda checks its ARN: service, region and resource."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.service import Call

__all__ = ["check_dead_letters", "check_destinations", "check_source"]

_PARTS: Final = 6
_SOURCES: Final = ("sqs", "kinesis", "dynamodb", "kafka", "mq", "rds")
_DESTINATIONS: Final = ("sqs", "sns", "lambda", "events", "s3")
_DEAD_LETTERS: Final = ("sqs", "sns")
_GLOBAL: Final = ("s3",)  # its ARNs name no region


def check_source(call: Call, arn: str) -> None:
    """Of an event source mapping. Raises AwsError."""
    if not _known(call, arn, _SOURCES):
        raise AwsError("InvalidParameterValueException", f"Unrecognized event source: {arn[:200]}")


def check_destinations(call: Call, config: Mapping[str, Any]) -> None:
    """Of the outcomes of events: OnSuccess and OnFailure. Raises AwsError."""
    for side in ("OnSuccess", "OnFailure"):
        arn = str((config.get(side) or {}).get("Destination") or "")
        if arn and arn.split(":")[2:3] not in [[service] for service in _DESTINATIONS]:
            raise AwsError(
                "InvalidParameterValueException",
                f"The provided destination config DestinationConfig({_java(config)}) is invalid.",
            )
        if arn and not _known(call, arn, _DESTINATIONS):
            raise AwsError("InvalidParameterValueException", f"The destination ARN {arn[:200]} is invalid.")


def _java(config: Mapping[str, Any]) -> str:
    """A config as AWS's service prints it."""
    shown = []
    for side, kind in (("onSuccess", "OnSuccess"), ("onFailure", "OnFailure")):
        arn = str((config.get(kind) or {}).get("Destination") or "")
        shown.append(f"{side}={kind}(destination={arn[:200]})" if arn else f"{side}=null")
    return ", ".join(shown)


def check_dead_letters(call: Call, config: Mapping[str, Any]) -> None:
    """Of a function's DeadLetterConfig; an empty one takes it away. Raises AwsError."""
    arn = config.get("TargetArn")
    if arn and not _known(call, arn, _DEAD_LETTERS):
        raise AwsError(
            "InvalidParameterValueException",
            f"The dead letter target ARN {arn[:200]} is invalid: a queue of SQS or a topic of SNS in"
            f" {call.region}",
        )


def _known(call: Call, arn: str, services: Collection[str]) -> bool:
    parts = arn.split(":", _PARTS - 1)
    if len(parts) < _PARTS or parts[2] not in services or not parts[5]:
        return False
    return parts[3] == call.region or parts[2] in _GLOBAL
