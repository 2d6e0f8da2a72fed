"""Who else may use a version of a layer: kept and given back, and without effect here."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog
from relive_platform.api.aws.functions.names import layer_arn, resource_name
from relive_platform.api.aws.service import Call, Operation
from relive_platform.registry.aliases import new_revision

__all__ = ["LayerPolicies"]

_KIND: Final = "layer-policy"
_PRINCIPAL: Final = re.compile(r"\*|\d{12}|arn:aws[a-zA-Z-]*:iam::\d{12}:root")


class LayerPolicies:
    """One policy for each version of a layer."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._notes = catalog.notes

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "AddLayerVersionPermission": self.add,
            "GetLayerVersionPolicy": self.get,
            "RemoveLayerVersionPermission": self.remove,
        }

    async def add(self, call: Call) -> Mapping[str, Any]:
        """One more statement."""
        name, key, policy = self._policy(call)
        ident, principal = call.params["StatementId"], call.params["Principal"]
        known = call.params["Action"] == "lambda:GetLayerVersion" and _PRINCIPAL.fullmatch(principal)
        if not known or (call.get("OrganizationId") and principal != "*"):
            raise AwsError("InvalidParameterValueException", "The provided principal or action is invalid.")
        if any(statement["Sid"] == ident for statement in policy["statements"]):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({ident}) provided already exists."
                " Please provide a new statement id, or remove the existing statement.",
                409,
            )
        account = principal if principal == "*" or ":" in principal else f"arn:aws:iam::{principal}:root"
        statement: dict[str, Any] = {
            "Sid": ident,
            "Effect": "Allow",
            "Principal": account if account == "*" else {"AWS": account},
            "Action": call.params["Action"],
            "Resource": layer_arn(call, name, int(key)),
        }
        if call.get("OrganizationId"):
            statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": call.params["OrganizationId"]}}
        revision = await self._write(name, key, [*policy["statements"], statement])
        return {"Statement": json.dumps(statement), "RevisionId": revision}

    async def get(self, call: Call) -> Mapping[str, Any]:
        """All statements."""
        _, _, policy = self._policy(call)
        if not policy["statements"]:
            raise AwsError(
                "ResourceNotFoundException", "No policy is associated with the given resource.", 404
            )
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["statements"]}
        return {"Policy": json.dumps(document), "RevisionId": policy["revision"]}

    async def remove(self, call: Call) -> None:
        """A statement, which must be there."""
        name, key, policy = self._policy(call)
        ident = call.params["StatementId"]
        left = [statement for statement in policy["statements"] if statement["Sid"] != ident]
        if len(left) == len(policy["statements"]):
            raise AwsError(
                "ResourceNotFoundException", f"Statement {ident} is not found in resource policy.", 404
            )
        await self._write(name, key, left)

    def _policy(self, call: Call) -> tuple[str, str, dict[str, Any]]:
        """Layer, version and policy. Raises AwsError if there is no such version, or another revision."""
        given = call.params["LayerName"]
        name, number = resource_name(given)[1] or given, int(call.params["VersionNumber"])
        key = f"{number:010d}"
        if self._notes.get("layer", name, key) is None:
            arn = layer_arn(call, name, number)
            raise AwsError("ResourceNotFoundException", f"Layer version {arn} does not exist.", 404)
        policy = self._notes.get(_KIND, name, key) or {"statements": [], "revision": ""}
        self._catalog.check_revision(call, policy["revision"], "GetLayerPolicy")
        return name, key, policy

    async def _write(self, name: str, key: str, statements: list[dict[str, Any]]) -> str:
        document = {"statements": statements, "revision": new_revision()}
        await asyncio.to_thread(self._notes.put, _KIND, name, key, document)
        return str(document["revision"])
