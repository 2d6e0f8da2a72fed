"""A version as Lambda describes it: what Relive runs, and what it only keeps."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sys
import uuid
from collections.abc import Mapping
from typing import Any, Final

from relive_platform.api.aws.functions.catalog import stamp
from relive_platform.api.aws.functions.names import arn_of
from relive_platform.api.aws.service import Call
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import FunctionVersion

__all__ = ["KEPT", "configuration", "listed", "logging_config", "revision_of"]

KEPT: Final = (
    "Runtime", "Role", "Description", "VpcConfig", "DeadLetterConfig", "KMSKeyArn", "TracingConfig", "Layers",
    "FileSystemConfigs", "PackageType", "ImageConfig", "Architectures", "EphemeralStorage", "SnapStart",
    "LoggingConfig", "CodeSize", "CodeSha256", "Handler", "DurableConfig", "TenancyConfig",
    "CapacityProviderConfig", "CodeSigningConfigArn",
)  # fmt: skip
"""What the registry keeps of a version for this API alone."""
_OF_ONE: Final = ("State", "LastUpdateStatus", "RuntimeVersionConfig")
_ROLE: Final = "arn:aws:iam::000000000000:role/relive"
_REVISIONS: Final = uuid.UUID("7f4dba2e-5c39-5d52-a1a7-0d5f4cf0f3a1")


def revision_of(version: FunctionVersion, more: str = "") -> str:
    """Another one after each change of the version in service."""
    return str(uuid.uuid5(_REVISIONS, f"{version.name}/{version.version}/{version.created_ns}/{more}"))


def configuration(
    call: Call, version: FunctionVersion, qualifier: str = "", note: dict[str, Any] | None = None
) -> dict[str, Any]:
    """`qualifier`: in the ARN; a number says that it is a published version, of which `note` is kept."""
    kept = version.config.lambda_api
    number = qualifier if qualifier.isdigit() else ""
    found: dict[str, Any] = {
        "FunctionName": version.name,
        "FunctionArn": arn_of(call, version.name, qualifier),
        "Runtime": f"python{sys.version_info[0]}.{sys.version_info[1]}" if not kept else None,
        "Role": _ROLE,
        "Handler": version.spec.handler.replace(":", "."),
        "Description": "",
        "Timeout": max(int(version.config.timeout_s), 1),
        "MemorySize": version.config.memory_mb,
        "LastModified": stamp(version.created_ns),
        "Version": number or LATEST,
        "CodeSize": 0,
        "CodeSha256": _sha256(version.spec.code_hash),
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        **{name: kept[name] for name in KEPT if name in kept},
        "LoggingConfig": {
            "LogGroup": f"/aws/lambda/{version.name}",
            **logging_config(kept.get("LoggingConfig", {})),
        },
        "RuntimeVersionConfig": {"RuntimeVersionArn": _runtime_arn(call, str(kept.get("Runtime", "")))},
        "RevisionId": revision_of(version, number),
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "SnapStart": {
            "ApplyOn": kept.get("SnapStart", {}).get("ApplyOn", "None"),
            "OptimizationStatus": "Off",
        },
    }
    found.pop("CodeSigningConfigArn", None)  # another operation tells it
    image = found.pop("ImageConfig", None)
    if image:
        found["ImageConfigResponse"] = {"ImageConfig": image}
    if version.config.environment or "Environment" in kept:
        found["Environment"] = {"Variables": dict(version.config.environment)}
    if "VpcConfig" in found:
        found["VpcConfig"] = {"VpcId": "", **found["VpcConfig"]}
    if note is not None and note.get("description"):
        found["Description"] = note["description"]
    return found


def listed(
    call: Call, version: FunctionVersion, qualifier: str = "", note: dict[str, Any] | None = None
) -> dict[str, Any]:
    """As lists have it: without what is told of one alone."""
    found = configuration(call, version, qualifier, note)
    return {name: value for name, value in found.items() if name not in _OF_ONE}


def logging_config(asked: Mapping[str, Any]) -> dict[str, Any]:
    """With what AWS adds to it: levels, which lines of text do not have."""
    found = {"LogFormat": "Text", **asked}
    levels = ("ApplicationLogLevel", "SystemLogLevel")
    if found["LogFormat"] == "Text":
        return {name: value for name, value in found.items() if name not in levels}
    return {**dict.fromkeys(levels, "INFO"), **found}


def _runtime_arn(call: Call, runtime: str) -> str:
    """Another one with each version of what runs the function."""
    runs = sys.version if runtime.startswith("python") or not runtime else runtime
    return f"arn:aws:lambda:{call.region}::runtime:{hashlib.sha256(runs.encode()).hexdigest()}"


def _sha256(hexadecimal: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(hexadecimal)).decode()
    except (binascii.Error, ValueError):
        return ""
