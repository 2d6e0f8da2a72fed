"""Requests for services that others serve: handed on to the endpoint that the user names, as they came."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from relive_base.errors import UsageError

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.protocols.base import Answer
from relive_platform.api.aws.signature import Signed

__all__ = ["Endpoints", "parse_endpoints"]

_ANY: Final = "*"
_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
     "content-length", "expect", "date", "server")
)  # fmt: skip


def parse_endpoints(entries: tuple[str, ...], *, name: str) -> dict[str, str]:
    """`SERVICE=URL` each, or `*=URL` for all others. Raises UsageError."""
    found: dict[str, str] = {}
    for entry in entries:
        service, equals, url = entry.partition("=")
        parts = urlsplit(url)
        if not (service and equals) or parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{entry!r} is not SERVICE=URL", where=name, hint="as in s3=http://127.0.0.1:9000, or *=URL"
            )
        found[service.strip()] = url
    return found


class Endpoints:
    """By service. `limit_bytes`: of an answer, which is read whole."""

    def __init__(self, by_service: Mapping[str, str], limit_bytes: int, timeout_s: float = 60.0) -> None:
        self._by_service = by_service
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s

    def of(self, service: str) -> str:
        """Its URL, or ""."""
        return self._by_service.get(service) or self._by_service.get(_ANY, "")

    async def __call__(self, service: str, request: Signed, /) -> Answer | None:
        url = self.of(service)
        return await asyncio.to_thread(self._ask, service, url, request) if url else None

    def _ask(self, service: str, url: str, request: Signed) -> Answer:
        """Method, target, headers and Host stay: they are what was signed."""
        parts = urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = make(parts.hostname or "", parts.port, timeout=self._timeout_s)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for key, value in request.headers:
                if key not in _HOP_BY_HOP:
                    connection.putheader(key, value)
            connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body)
            response = connection.getresponse()
            body = response.read(self._limit_bytes + 1)
            headers = {
                key.lower(): value for key, value in response.getheaders() if key.lower() not in _HOP_BY_HOP
            }
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AwsError(
                "ServiceUnavailableException", f"the endpoint of {service} did not answer: {error}", 503
            ) from error
        finally:
            connection.close()
        if len(body) > self._limit_bytes:
            raise AwsError(
                "ServiceException", f"the endpoint's answer is over {self._limit_bytes} bytes", 502
            )
        return Answer(response.status, headers, body)
