"""What is kept and given back, and has no effect here: permissions, tags, recursion, runtime settings."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.attached import checked, unqualified
from relive_platform.api.aws.functions.catalog import Catalog
from relive_platform.api.aws.functions.configuration import revision_of
from relive_platform.api.aws.functions.names import (
    Named,
    alias_missing,
    arn_of,
    event_source_arn,
    named,
    resource_missing,
    resource_name,
)
from relive_platform.api.aws.service import Call, Operation
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry.aliases import new_revision

__all__ = ["MOST_TAGS", "Stored"]

_POLICY: Final = "policy"
_TAGS: Final = "tags"
MOST_TAGS: Final = 50
"""Of a resource."""
_MOST_STATEMENTS: Final = 100
_ALIAS: Final = re.compile(r"(?![0-9]+$)[a-zA-Z0-9_-]+")
_PRINCIPAL: Final = re.compile(
    r"\*|\d{12}|arn:aws[a-zA-Z-]*:(?:iam|sts)::\d{12}:\S+|[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws)"
)


class Stored:
    """Nothing of this changes who may invoke what."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._notes = catalog.notes

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "AddPermission": self.add_permission,
            "GetAccountSettings": self.account,
            "GetFunctionCodeSigningConfig": self.signing,
            "GetFunctionRecursionConfig": self.recursion,
            "GetPolicy": self.policy,
            "GetRuntimeManagementConfig": self.runtime,
            "ListTags": self.tags,
            "PutFunctionRecursionConfig": self.put_recursion,
            "PutRuntimeManagementConfig": self.put_runtime,
            "RemovePermission": self.remove_permission,
            "TagResource": self.tag,
            "UntagResource": self.untag,
        }

    # ------------------------------------------------------------ permissions

    async def add_permission(self, call: Call) -> Mapping[str, Any]:
        """One more statement of the policy."""
        if named(call).qualifier == LATEST:
            raise AwsError(
                "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."
            )
        _check_principal(call.params["Principal"])
        name = self._aliased(call)
        policy = self._policy(name)
        self._check_policy(call, name, policy)
        ident = call.params["StatementId"]
        if any(statement["Sid"] == ident for statement in policy["statements"]):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({ident}) provided already exists."
                " Please provide a new statement id, or remove the existing statement.",
                409,
            )
        if len(policy["statements"]) >= _MOST_STATEMENTS:
            raise AwsError(
                "PolicyLengthExceededException", f"the policy has {_MOST_STATEMENTS} statements", 400
            )
        statement = _statement(call, arn_of(call, name.name, name.qualifier))
        await self._write(name, [*policy["statements"], statement])
        return {"Statement": json.dumps(statement)}

    async def remove_permission(self, call: Call) -> None:
        """A statement, which must be there."""
        if named(call).name not in self._catalog.platform.serving():
            arn = arn_of(call, named(call).name)
            raise AwsError("ResourceNotFoundException", f"No policy found for: {arn}", 404)
        name = self._aliased(call)
        policy = self._policy(name)
        self._check_policy(call, name, policy)
        ident = call.params["StatementId"]
        if not policy["statements"]:
            raise AwsError(
                "ResourceNotFoundException", "No policy is associated with the given resource.", 404
            )
        left = [statement for statement in policy["statements"] if statement["Sid"] != ident]
        if len(left) == len(policy["statements"]):
            raise AwsError(
                "ResourceNotFoundException", f"Statement {ident} is not found in resource policy.", 404
            )
        await self._write(name, left)

    async def policy(self, call: Call) -> Mapping[str, Any]:
        """All statements."""
        self._catalog.function(call)
        name = unqualified(named(call))
        policy = self._policy(name)
        if not policy["statements"] or not self._catalog.has(call, name):
            raise resource_missing()
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["statements"]}
        return {"Policy": json.dumps(document), "RevisionId": policy["revision"]}

    def _policy(self, name: Named) -> dict[str, Any]:
        found = self._notes.get(_POLICY, name.name, name.qualifier)
        return found if found is not None else {"statements": [], "revision": ""}

    def _check_policy(self, call: Call, name: Named, policy: Mapping[str, Any]) -> None:
        """The revision is the policy's, and if there is none yet, that of what it will be of."""
        alias = self._catalog.alias(name.name, name.qualifier)
        version = self._catalog.qualified(call, name)
        number = name.qualifier if name.qualifier.isdigit() else ""
        own = alias.revision if alias is not None else revision_of(version, number)
        self._catalog.check_revision(call, policy["revision"] or own, "GetPolicy")

    def _aliased(self, call: Call) -> Named:
        """The function, version or alias that a policy is of. Raises AwsError."""
        name = named(call)
        asked = name.name in self._catalog.platform.serving() and _ALIAS.fullmatch(name.qualifier)
        if asked and self._catalog.alias(name.name, name.qualifier) is None:
            raise alias_missing(call, name)
        return checked(self._catalog, call)

    async def _write(self, name: Named, statements: list[dict[str, Any]]) -> None:
        document = {"statements": statements, "revision": new_revision()}
        await asyncio.to_thread(self._notes.put, _POLICY, name.name, name.qualifier, document)

    # ------------------------------------------------------------ tags

    async def tag(self, call: Call) -> None:
        """Add tags, or change them."""
        kind, name = self._tagged(call)
        if not call.params["Tags"]:
            raise AwsError(
                "InvalidParameterValueException", "An error occurred and the request cannot be processed."
            )
        tags = {**(self._notes.get(kind, name) or {}), **call.params["Tags"]}
        if len(tags) > MOST_TAGS:
            raise AwsError("InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
        await asyncio.to_thread(self._notes.put, kind, name, "", tags)

    async def untag(self, call: Call) -> None:
        """Remove tags; nothing is wrong if they are not there."""
        kind, name = self._tagged(call)
        tags = self._notes.get(kind, name) or {}
        left = {key: value for key, value in tags.items() if key not in call.params["TagKeys"]}
        await asyncio.to_thread(self._notes.put, kind, name, "", left)

    async def tags(self, call: Call) -> Mapping[str, Any]:
        """All tags of a function or a mapping."""
        kind, name = self._tagged(call)
        return {"Tags": self._notes.get(kind, name) or {}}

    def _tagged(self, call: Call) -> tuple[str, str]:
        """Where the resource's tags are kept. Raises AwsError if there is no such resource."""
        kind, name = resource_name(call.params["Resource"])
        if kind == "function":
            if call.params["Resource"].count(":") > 6:
                raise AwsError(
                    "InvalidParameterValueException",
                    "Tags on function aliases and versions are not supported. Please specify a function ARN.",
                )
            asked = call.about(FunctionName=call.params["Resource"])
            self._catalog.latest(asked, named(asked))
            return _TAGS, name
        own = call.params["Resource"] == event_source_arn(call, name)
        if kind == "event-source-mapping" and own and self._notes.get("mapping", name) is not None:
            return "mapping-tags", name
        what = kind.replace("-", " ").capitalize()
        raise AwsError("ResourceNotFoundException", f"{what} not found: {call.params['Resource']}", 404)

    # ------------------------------------------------------------ settings

    async def account(self, call: Call) -> Mapping[str, Any]:
        """Limits are AWS's own numbers; Relive's are settings."""
        serving = self._catalog.platform.serving()
        size = sum(int(version.config.lambda_api.get("CodeSize", 0)) for version in serving.values())
        platform = self._catalog.platform
        return {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": platform.unpacked_bytes,
                "CodeSizeZipped": platform.zip_bytes,
                "ConcurrentExecutions": 1000,
                "UnreservedConcurrentExecutions": 1000,
            },
            "AccountUsage": {"TotalCodeSize": size, "FunctionCount": len(serving)},
        }

    async def signing(self, call: Call) -> Mapping[str, Any]:
        """As it was given: whether code is signed is never looked at here."""
        name, version = self._catalog.function(call)
        kept = version.config.lambda_api.get("CodeSigningConfigArn", "")
        return {"CodeSigningConfigArn": kept, "FunctionName": name.name}

    async def recursion(self, call: Call) -> Mapping[str, Any]:
        """As it was put."""
        name, _ = self._catalog.function(call)
        found = self._notes.get("recursion", name.name) or {}
        return {"RecursiveLoop": found.get("RecursiveLoop", "Terminate")}

    async def put_recursion(self, call: Call) -> Mapping[str, Any]:
        """Kept; how deep functions call each other is limited by RELIVE_CALL_DEPTH."""
        name, _ = self._catalog.function(call)
        document = {"RecursiveLoop": call.params["RecursiveLoop"]}
        await asyncio.to_thread(self._notes.put, "recursion", name.name, "", document)
        return document

    async def runtime(self, call: Call) -> Mapping[str, Any]:
        """As it was put."""
        name = checked(self._catalog, call)
        found = self._notes.get("runtime", name.name, name.qualifier) or {}
        arn = arn_of(call, name.name, name.qualifier or "$LATEST")
        return {"UpdateRuntimeOn": "Auto", **found, "FunctionArn": arn}

    async def put_runtime(self, call: Call) -> Mapping[str, Any]:
        """Kept; the runtime is the Python that Relive runs in."""
        name = checked(self._catalog, call)
        wanted = ("UpdateRuntimeOn", "RuntimeVersionArn")
        document = {key: call.params[key] for key in wanted if call.get(key)}
        await asyncio.to_thread(self._notes.put, "runtime", name.name, name.qualifier, document)
        return {**document, "FunctionArn": arn_of(call, name.name, name.qualifier or "$LATEST")}


def _statement(call: Call, arn: str) -> dict[str, Any]:
    """As IAM writes it."""
    principal = call.params["Principal"]
    service = "." in principal
    statement: dict[str, Any] = {
        "Sid": call.params["StatementId"],
        "Effect": "Allow",
        "Principal": "*"
        if principal == "*"
        else {"Service" if service else "AWS": _account(principal, service)},
        "Action": call.params["Action"],
        "Resource": arn,
    }
    conditions: dict[str, dict[str, str]] = {}
    for key, operator, name in (
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ):
        if call.get(key):
            conditions.setdefault(operator, {})[name] = call.params[key]
    if conditions:
        statement["Condition"] = conditions
    return statement


def _check_principal(principal: str) -> None:
    """An account, one of its users or roles, or a service of AWS. Raises AwsError."""
    if not _PRINCIPAL.fullmatch(principal):
        raise AwsError(
            "InvalidParameterValueException",
            "The provided principal was invalid. Please check the principal and try again.",
        )


def _account(principal: str, service: bool) -> str:
    if service or principal.startswith("arn:"):
        return principal
    return f"arn:aws:iam::{principal}:root"
