"""What `Ref` and `Fn::GetAtt` of a template's resources stand for here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relive_platform.resources.table import KINDS

__all__ = [
    "FUNCTIONS",
    "LAYERS",
    "LAYER_MARK",
    "MANAGED",
    "QUEUE",
    "Names",
    "function_name",
    "last_part",
    "resource_name",
]

FUNCTIONS: Final = ("AWS::Serverless::Function", "AWS::Lambda::Function")
LAYERS: Final = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")
LAYER_MARK: Final = "relive-layer:"
QUEUE: Final = "AWS::SQS::Queue"
_TOPIC: Final = "AWS::SNS::Topic"

_NAME_KEYS: Final = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Lambda::Function": "FunctionName",
    QUEUE: "QueueName",
    _TOPIC: "TopicName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Serverless::SimpleTable": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Serverless::StateMachine": "Name",
}
_ARNS: Final = {
    "AWS::Serverless::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    QUEUE: "arn:aws:sqs:{region}:{account}:{name}",
    _TOPIC: "arn:aws:sns:{region}:{account}:{name}",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Serverless::SimpleTable": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "arn:aws:events:{region}:{account}:event-bus/{name}",
    "AWS::Kinesis::Stream": "arn:aws:kinesis:{region}:{account}:stream/{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
}
MANAGED: Final = {QUEUE: "queue", "AWS::S3::Bucket": "bucket", "AWS::Events::EventBus": "bus"}
"""Types that are kept as resources of a type of Relive's, if it has that one."""

_REFS: Final = {QUEUE: "url", "AWS::S3::Bucket": "name", "AWS::Events::EventBus": "name"}
_ATTRIBUTES: Final = {"Arn": "arn", "QueueUrl": "url", "QueueName": "name", "Name": "name"}
_REF_IS_ARN: Final = (_TOPIC, "AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine")


def last_part(text: str) -> str:
    """The name at the end of an ARN or a URL."""
    return re.split(r"[:/]", text.rstrip("/:*"))[-1]


def function_name(text: str) -> str:
    """The function of a name, an ARN or an API's integration, with or without a qualifier."""
    found = re.search(r":function:([A-Za-z0-9_-]+)", text)
    return found[1] if found else text.partition(":")[0]


def resource_name(text: str) -> str:
    """The name under which Relive keeps a resource: of its name, its ARN or URL, or of a reference to it."""
    if found := re.search(r"\$\{resources\.([^.}]+)", text):
        return found[1]
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", last_part(text).removesuffix(".fifo")).strip("-")[:64]


def _reference(kind: str, name: str, attribute: str) -> str:
    """`${resources.NAME.ATTRIBUTE}` of a type that Relive keeps; "" if it has no such attribute."""
    config = KINDS.get(MANAGED.get(kind, ""))
    if config is None or attribute not in config.ATTRIBUTES:
        return ""
    return f"${{resources.{resource_name(name)}.{attribute}}}"


@dataclass(frozen=True, slots=True)
class Names:
    """Of the resources of one template. `named`: the texts that they have as their names."""

    types: Mapping[str, str]
    pseudo: Mapping[str, Any]

    @staticmethod
    def key_of(kind: str) -> str:
        """The property that names a resource of this type, "" if none does."""
        return _NAME_KEYS.get(kind, "")

    def ref(self, logical: str, name: str) -> str:
        """What `Ref` gives."""
        kind = self.types[logical]
        if kind in LAYERS:
            return f"{LAYER_MARK}{logical}"
        if reference := _reference(kind, name, _REFS.get(kind, "")):
            return reference
        return self.arn(logical, name) if kind in _REF_IS_ARN else name

    def attribute(self, logical: str, name: str, attribute: str) -> str | None:
        """What `Fn::GetAtt` gives; None if it is not known here."""
        kind = self.types[logical]
        if reference := _reference(kind, name, _ATTRIBUTES.get(attribute, "")):
            return reference
        if attribute in ("Arn", "TopicArn"):
            return self.arn(logical, name)
        if attribute in ("QueueName", "TopicName", "Name", "RoleName"):
            return name
        if attribute == "QueueUrl":
            return self.ref(logical, name)
        if attribute == "StreamArn" and "DynamoDB" in kind:
            return f"{self.arn(logical, name)}/stream/relive"
        if attribute in ("DomainName", "RegionalDomainName") and kind == "AWS::S3::Bucket":
            return f"{name}.s3.amazonaws.com"
        return None

    def arn(self, logical: str, name: str) -> str:
        """The ARN that a resource would have."""
        kind = self.types[logical]
        region, account = self.pseudo["AWS::Region"], self.pseudo["AWS::AccountId"]
        service = kind.split("::")[1].lower() if "::" in kind else "relive"
        pattern = _ARNS.get(kind, f"arn:aws:{service}:{{region}}:{{account}}:{{name}}")
        return pattern.format(region=region, account=account, name=name)
