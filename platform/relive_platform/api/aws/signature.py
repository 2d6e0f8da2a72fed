"""Signature Version 4: who signed a request, and whether it is as it was signed.

botocore computes the signature anew from the request as it came; only the same one is accepted.
"""

from __future__ import annotations

import functools
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from relive_platform.api.aws.credentials import KeyPair, Keys
from relive_platform.api.aws.errors import AwsError

if TYPE_CHECKING:
    from botocore.auth import SigV4Auth

__all__ = ["Scope", "Signed", "Verifier", "presigned", "scope_of"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"
_SCOPE: Final = re.compile(r"([^/]{1,128})/([0-9]{8})/([A-Za-z0-9-]{1,64})/([A-Za-z0-9-]{1,64})/aws4_request")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_PRESIGNED_S: Final = 604_800
_QUERY: Final = "X-Amz-Signature"
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it came. `target`: path and query, not decoded; `headers`: names in lower case."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Its first value, or ""."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an Authorization says: whose key, for which day, region and service; and how it was signed."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires_s: int = 0  # of a URL that was signed beforehand

    @property
    def presigned(self) -> bool:
        """Whether the signature is in the query."""
        return self.expires_s > 0


def scope_of(request: Signed) -> Scope:
    """What the request says of its signature. Raises AwsError if there is none, or it is malformed."""
    given = [value for name, value in request.headers if name == "authorization"]
    if given:
        return _from_header(request, given[0])
    if f"{_QUERY}=" in request.target:
        return _from_query(request)
    raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)


def presigned(keys: KeyPair, url: str, service: str, region: str, expires_s: int) -> str:
    """A URL that may be read for a while by whoever has it."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("GET", url)
    pair = Credentials(keys.access_key_id, keys.secret_access_key)
    SigV4QueryAuth(pair, service, region, expires_s).add_auth(request)
    return str(request.url)


def _from_header(request: Signed, text: str) -> Scope:
    algorithm, _, rest = text.strip().partition(" ")
    if algorithm != _ALGORITHM:
        raise _incomplete(f"only the algorithm {_ALGORITHM} is known here")
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in parts:
            raise _incomplete("Authorization is not a list of Credential=, SignedHeaders= and Signature=")
        parts[name] = value.strip()
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    timestamp = request.header("x-amz-date") or _http_date(request.header("date"))
    if not timestamp:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return _scope(parts["Credential"], parts["SignedHeaders"], parts["Signature"], timestamp)


def _from_query(request: Signed) -> Scope:
    _, _, query = request.target.partition("?")
    try:
        values = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=200))
    except ValueError as error:
        raise _incomplete("the query has too many fields") from error
    if values.get("X-Amz-Algorithm") != _ALGORITHM:
        raise _incomplete(f"only the algorithm {_ALGORITHM} is known here")
    needed = ("X-Amz-Credential", "X-Amz-SignedHeaders", _QUERY, "X-Amz-Date", "X-Amz-Expires")
    for name in needed:
        if not values.get(name):
            raise _incomplete(f"AWS query-string parameters must include '{name}'.")
    credential, signed, signature, timestamp, expires = (values[name] for name in needed)
    if not (expires.isascii() and expires.isdigit() and 0 < int(expires[:10]) <= _LONGEST_PRESIGNED_S):
        raise _incomplete("X-Amz-Expires must be a number of seconds, up to seven days")
    return _scope(credential, signed, signature, timestamp, int(expires))


def _scope(credential: str, signed: str, signature: str, timestamp: str, expires_s: int = 0) -> Scope:
    match = _SCOPE.fullmatch(credential)
    if match is None:
        raise _incomplete("Credential must have the form KEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
    if not _HEX.fullmatch(signature):
        raise _incomplete("Signature must be 64 hexadecimal digits")
    headers = tuple(signed.lower().split(";"))
    if "host" not in headers:
        raise _incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    key, date, region, service = match.groups()
    return Scope(key, date, region, service, headers, signature, timestamp, expires_s)


def _http_date(text: str) -> str:
    """A Date header as a timestamp, or "" if it is none."""
    try:
        when = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return ""
    return when.strftime(_TIMESTAMP)


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignatureException", message, 403)


class _Request:
    """A request as botocore's signer wants it."""

    def __init__(self, signed: Signed, scope: Scope, headers: Any, content_sha256: str) -> None:
        target = _without_signature(signed.target) if scope.presigned else signed.target
        self.method = signed.method
        self.url = f"http://{signed.header('host')}{target}"
        self.params = None
        self.headers = headers
        self.context = {"timestamp": scope.timestamp}
        self.body_sha256 = content_sha256


def _without_signature(target: str) -> str:
    path, _, query = target.partition("?")
    kept = [part for part in query.split("&") if not part.startswith(f"{_QUERY}=")]
    return f"{path}?{'&'.join(kept)}"


@functools.cache
def _signer_class() -> type[SigV4Auth]:
    """botocore's signer, for headers that the client has chosen and a body that is hashed already."""
    from botocore.auth import SigV4Auth
    from botocore.compat import HTTPHeaders

    class Signer(SigV4Auth):
        names: tuple[str, ...] = ()

        def headers_to_sign(self, request: Any) -> Any:
            chosen = HTTPHeaders()
            for name, value in request.headers:
                if name in self.names:
                    chosen[name] = value
            return chosen

        def canonical_request(self, request: Any) -> str:
            signed = self.headers_to_sign(request)
            path = _path_of(request.url)  # S3's is signed as it is, that of others is encoded once more
            return "\n".join(
                (
                    request.method.upper(),
                    path if self._service_name.startswith("s3") else self._normalize_url_path(path),
                    self.canonical_query_string(request),
                    self.canonical_headers(signed) + "\n",
                    self.signed_headers(signed),
                    request.body_sha256,
                )
            )

    return Signer


def _path_of(url: str) -> str:
    """The path of `http://HOST/PATH?QUERY`, as it came."""
    return "/" + url.split("/", 3)[3].partition("?")[0]


class Verifier:
    """Knows the keys. `skew_s`: how far a client's clock may be from ours."""

    def __init__(self, keys: Keys, skew_s: float = 300.0) -> None:
        self._keys = keys
        self._skew_s = skew_s

    def knows(self, scope: Scope) -> bool:
        """Whether the key is one of ours."""
        return self._keys.find(scope.access_key_id) is not None

    def verify(self, request: Signed, scope: Scope, now: datetime, *, whole_body: bool = True) -> str:
        """Who signed it (as in `Keys`). Raises AwsError unless that was somebody with a secret, the request
        is as it was signed, and it was signed just now. `whole_body`: so is the body."""
        found = self._keys.find(scope.access_key_id)
        if found is None:
            raise AwsError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid."
                " `relive aws credentials` prints the key pair of this server",
                403,
            )
        self._check_time(scope, now)
        _check_headers(request, scope)
        keys, caller = found
        expected = _signature(keys, request, scope, _content(request, scope, whole_body))
        if not hmac.compare_digest(expected, scope.signature):
            raise AwsError(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided."
                " Check your AWS Secret Access Key and signing method:"
                " `relive aws credentials` prints the key",
                403,
            )
        return caller

    def _check_time(self, scope: Scope, now: datetime) -> None:
        try:
            when = datetime.strptime(scope.timestamp, _TIMESTAMP).replace(tzinfo=UTC)
        except ValueError as error:
            raise _incomplete("Date must be in ISO-8601 'basic format'.") from error
        if not scope.timestamp.startswith(scope.date):
            raise _invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
        age = (now - when).total_seconds()
        shown = now.strftime(_TIMESTAMP)
        if age < -self._skew_s:
            raise _invalid(f"Signature not yet current: {scope.timestamp} is still later than {shown}")
        if age > max(self._skew_s, scope.expires_s):
            raise _invalid(f"Signature expired: {scope.timestamp} is now earlier than {shown}")


def _signature(keys: KeyPair, request: Signed, scope: Scope, content_sha256: str) -> str:
    from botocore.credentials import Credentials

    pair = Credentials(keys.access_key_id, keys.secret_access_key)
    signer = _signer_class()(pair, scope.service, scope.region)
    signer.names = scope.signed_headers
    headers = [(name, _text(value)) for name, value in request.headers]
    asked = _Request(request, scope, headers, content_sha256)
    try:
        canonical = signer.canonical_request(asked)
        return str(signer.signature(signer.string_to_sign(asked, canonical), asked))
    except (ValueError, IndexError) as error:
        raise _invalid("the request cannot be put into its canonical form") from error


def _check_headers(request: Signed, scope: Scope) -> None:
    """What is signed is there, and what says what is asked for is signed."""
    names = {name for name, _ in request.headers}
    for name in scope.signed_headers:
        if name not in names:
            raise _invalid(f"the signed header {name[:100]!r} is not in the request")
    for name in names:
        needed = name.startswith("x-amz-") and name != "x-amz-content-sha256"
        if needed and name not in scope.signed_headers and name != "x-amzn-trace-id":
            raise _invalid(f"There were headers present in the request which were not signed: {name[:100]}")


def _content(request: Signed, scope: Scope, whole_body: bool) -> str:
    """The hash of the body that was signed. Raises AwsError if the body has another."""
    said = request.header("x-amz-content-sha256")
    if not whole_body:
        return said or (_UNSIGNED if scope.presigned else sha256(request.body).hexdigest())
    found = sha256(request.body).hexdigest()
    if said and not hmac.compare_digest(said.encode(), found.encode()):
        raise _invalid("x-amz-content-sha256 is not the SHA-256 of the body")
    return found


def _text(value: str) -> str:
    """A header's value as its sender signed it: UTF-8, if it is that."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message, 403)
