"""One request of an AWS API, from its bytes to its answer."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from xml.sax.saxutils import escape

from relive_base.errors import ReliveError

from relive_platform.api.aws.credentials import OWNER
from relive_platform.api.aws.errors import AwsError, not_implemented
from relive_platform.api.aws.model.loading import load
from relive_platform.api.aws.protocols.base import Answer, WireProtocol, json_bytes
from relive_platform.api.aws.protocols.json_rpc import JsonRpc
from relive_platform.api.aws.protocols.query import SqsQuery
from relive_platform.api.aws.protocols.rest_json import RestJson
from relive_platform.api.aws.service import AwsService, Call, Operation, Reply
from relive_platform.api.aws.signature import Scope, Signed, Verifier, scope_of

__all__ = ["Desk", "DeskOptions", "Forward", "Served"]

_PROTOCOLS: Final[Mapping[str, Callable[..., WireProtocol]]] = {"rest-json": RestJson, "json": JsonRpc}
_DOWNLOADS: Final = "/_relive/"
_LARGE_BYTES: Final = 65_536  # from here on a thread hashes and reads the body
_log = logging.getLogger(__name__)


class Forward(Protocol):
    """Who answers for the services that are not ours. None: nobody does for this one."""

    async def __call__(self, service: str, request: Signed, /) -> Answer | None: ...


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """`loopback`: only programs on this machine can reach the listener."""

    account: str = "000000000000"
    loopback: bool = True


class Served:
    """A service, its protocol compiled from its model."""

    def __init__(self, service: AwsService) -> None:
        self.service = service
        self.operations: Mapping[str, Operation] = service.operations()
        model = load(service.name)
        self._protocol = _PROTOCOLS[model.protocol](model, service.unchecked)
        self._query = SqsQuery(model) if "awsQueryCompatible" in model.metadata else None

    def protocol_of(self, request: Signed) -> WireProtocol:
        """That of a request: clients of a service that was spoken to by queries may do so still."""
        if self._query is not None and self._query.takes(request):
            return self._query
        return self._protocol


class Desk:
    """Serves `services`; what is signed for others goes to `forward`. `now` is the clock."""

    def __init__(
        self,
        services: Sequence[AwsService],
        verifier: Verifier,
        options: DeskOptions,
        forward: Forward | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._served = {service.name: Served(service) for service in services}
        self._verifier = verifier
        self._options = options
        self._forward = forward
        self._now = now

    async def answer(self, request: Signed, base_url: str) -> Answer | Reply:
        """Never raises but CancelledError: what goes wrong is an answer, too."""
        request_id = str(uuid.uuid4())
        protocol: WireProtocol | None = None
        service = ""
        try:
            scope = scope_of(request)
            service = scope.service
            served = self._served.get(scope.service)
            if served is None:
                answer: Answer | Reply = await self._elsewhere(request, scope)
            else:
                protocol = served.protocol_of(request)
                answer = await self._serve(served, protocol, request, scope, base_url, request_id)
        except Exception as error:
            found = _as_aws_error(error)
            answer = (
                protocol.write_error(found, request_id) if protocol else _plain_error(found, service, request)
            )
        answer.headers.setdefault("x-amzn-requestid", request_id)  # type: ignore[attr-defined]
        return answer

    async def _serve(
        self,
        served: Served,
        protocol: WireProtocol,
        request: Signed,
        scope: Scope,
        base_url: str,
        request_id: str,
    ) -> Answer | Reply:
        if len(request.body) > _LARGE_BYTES:
            caller = await asyncio.to_thread(self._verifier.verify, request, scope, self._now())
        else:
            caller = self._verifier.verify(request, scope, self._now())
        if caller == OWNER and request.target.startswith(_DOWNLOADS) and request.method == "GET":
            found = await served.service.download(request.target.partition("?")[0])
            if found is not None:
                return Reply(found.body, dict(found.headers), found.status)
        name, in_path = protocol.operation_of(request)
        if caller != OWNER and name not in served.service.for_functions:
            raise AwsError(
                "AccessDeniedException",
                f"functions of the application {caller!r} may not call {scope.service}:{name}"
                " with the key pair that Relive has given them",
                403,
            )
        operation = served.operations.get(name)
        if operation is None:
            raise not_implemented(scope.service, name)
        if len(request.body) > _LARGE_BYTES:
            params = await asyncio.to_thread(protocol.read, request, name, in_path)
        else:
            params = protocol.read(request, name, in_path)
        result = await operation(
            Call(
                operation=name,
                params=params,
                region=scope.region,
                account=self._options.account,
                request_id=request_id,
                base_url=base_url,
                headers=dict(reversed(list(request.headers))),
                protocol=protocol.name,
                caller=caller,
            )
        )
        if isinstance(result, Reply):
            return Reply(result.body, dict(result.headers), result.status)
        return protocol.write(name, result or {})

    async def _elsewhere(self, request: Signed, scope: Scope) -> Answer:
        """The named endpoint checks signatures of its own; ours are checked where others could ask."""
        if self._verifier.knows(scope) or not self._options.loopback:
            caller = self._verifier.verify(request, scope, self._now(), whole_body=False)
            if caller != OWNER:
                raise AwsError("AccessDeniedException", f"functions may not call {scope.service} here", 403)
        answer = await self._forward(scope.service, request) if self._forward is not None else None
        if answer is None:
            raise AwsError(
                "UnknownServiceException",
                f"Relive serves {' and '.join(sorted(self._served))} here, and not {scope.service!r}:"
                f" name an endpoint for it, as in RELIVE_AWS_ENDPOINTS={scope.service}=http://127.0.0.1:9000",
                501,
            )
        return answer


def _as_aws_error(error: Exception) -> AwsError:
    if isinstance(error, AwsError):
        return error
    if isinstance(error, ReliveError):
        return AwsError("ServiceException", str(error), 500)
    _log.error("a request to the AWS API failed", exc_info=error)
    return AwsError("ServiceException", "the AWS API failed; run/server.log says why", 500)


def _plain_error(error: AwsError, service: str, request: Signed) -> Answer:
    """Of a service that is not ours, or not known yet: in XML, if its clients read nothing else."""
    told = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    headers = {"content-type": "text/xml", "x-amzn-errortype": error.code}
    if service.startswith("s3"):
        return Answer(error.status, headers, f"<Error>{told}</Error>".encode())
    if request.header("content-type").startswith("application/x-www-form-urlencoded"):
        body = f"<ErrorResponse><Error><Type>Sender</Type>{told}</Error></ErrorResponse>"
        return Answer(error.status, headers, body.encode())
    document = {"__type": error.code, "message": error.message}
    headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
    return Answer(error.status, headers, json_bytes(document))
