"""Signatures: what botocore signs is accepted, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_platform.api.aws.credentials import OWNER, Keys, function_key_pair, key_pair
from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.signature import Signed, Verifier, scope_of

TOKEN = "a token of this home"
KEYS = key_pair(TOKEN)
HOST = "127.0.0.1:8701"
PATH = "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations"


def signed(
    method: str = "POST",
    target: str = f"{PATH}?b=2&a=1",
    body: bytes = b'{"a": 1}',
    secret: str = KEYS.secret_access_key,
    key: str = KEYS.access_key_id,
    presign: bool = False,
    **headers: str,
) -> Signed:
    """A request as boto3 sends it, signed by the real botocore just now."""
    request = AWSRequest(method, f"http://{HOST}{target}", headers={"host": HOST, **headers}, data=body)
    pair = Credentials(key, secret)
    signer = (
        SigV4QueryAuth(pair, "lambda", "us-east-1", 60) if presign else SigV4Auth(pair, "lambda", "us-east-1")
    )
    signer.add_auth(request)
    pairs = [(name.lower(), value) for name, value in request.headers.items()]
    return Signed(method, request.url.removeprefix(f"http://{HOST}"), pairs, body)


def verify(request: Signed, *, later_s: float = 0.0, apps: tuple[str, ...] = ()) -> str:
    now = datetime.now(UTC) + timedelta(seconds=later_s)
    return Verifier(Keys(TOKEN, lambda: apps)).verify(request, scope_of(request), now)


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(AwsError) as caught:
        work()
    assert caught.value.status == 403
    return caught.value.code


def with_header(request: Signed, name: str, value: str | None) -> Signed:
    left = [pair for pair in request.headers if pair[0] != name]
    return replace(request, headers=[*left, (name, value)] if value is not None else left)


@given(
    st.text("abcXYZ019-_.~ /%+&=?#ü", min_size=0, max_size=30),
    st.dictionaries(st.text("abz-", min_size=1, max_size=5), st.text("a b+%/=ü", max_size=8), max_size=4),
    st.binary(max_size=40),
)
def test_what_botocore_signs_is_accepted(segment: str, query: dict[str, str], body: bytes) -> None:
    from urllib.parse import quote, urlencode

    text = urlencode(query, quote_via=quote)
    target = f"/functions/{quote(segment, safe='')}" + (f"?{text}" if text else "")
    assert verify(signed(target=target, body=body)) == OWNER


@given(st.text("abc ü/+%", min_size=1, max_size=20))
def test_what_is_for_s3_is_accepted(key: str) -> None:
    # S3's paths are signed as they are: the request is handed on to who serves it
    from urllib.parse import quote

    request = AWSRequest("PUT", f"http://{HOST}/bucket/{quote(key)}", headers={"host": HOST}, data=b"x")
    S3SigV4Auth(Credentials(KEYS.access_key_id, KEYS.secret_access_key), "s3", "us-east-1").add_auth(request)
    pairs = [(name.lower(), value) for name, value in request.headers.items()]
    assert verify(Signed("PUT", request.url.removeprefix(f"http://{HOST}"), pairs, b"x")) == OWNER


@pytest.mark.parametrize("presign", [False, True])
def test_an_own_request(presign: bool) -> None:
    body = b"" if presign else b"{}"
    assert verify(signed("GET" if presign else "POST", body=body, presign=presign)) == OWNER


def test_functions_have_keys_of_their_own() -> None:
    pair = function_key_pair(TOKEN, "shop")
    request = signed(key=pair.access_key_id, secret=pair.secret_access_key)
    assert verify(request, apps=("blog", "shop")) == "shop"
    assert code_of(lambda: verify(request, apps=("blog",))) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, body=b'{"a": 2}'),
        lambda request: replace(request, method="DELETE"),
        lambda request: replace(request, target=request.target.replace("a=1", "a=2")),
        lambda request: replace(request, target="/2015-03-31/functions/other/invocations"),
        lambda request: with_header(request, "host", "elsewhere:80"),
        lambda request: with_header(request, "x-amz-date", "20200101T000000Z"),
        lambda request: with_header(request, "x-amz-invocation-type", "Event"),
        lambda request: with_header(request, "x-amz-content-sha256", "0" * 64),
        lambda request: with_header(request, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ],
)
def test_a_request_that_was_changed_is_refused(change: Callable[[Signed], Signed]) -> None:
    assert code_of(lambda: verify(change(signed()))) == "InvalidSignatureException"


def test_another_secret_is_refused() -> None:
    assert code_of(lambda: verify(signed(secret="x" * 40))) == "InvalidSignatureException"


def test_another_key_is_refused() -> None:
    assert code_of(lambda: verify(signed(key="AKIAIOSFODNN7EXAMPLE"))) == "UnrecognizedClientException"


@pytest.mark.parametrize("later_s", [-330, 330])
def test_a_signature_has_its_time(later_s: float) -> None:
    request = signed()
    assert verify(request, later_s=later_s * 0.8) == OWNER  # once more, within its time: SigV4 has no nonce
    assert code_of(lambda: verify(request, later_s=later_s)) == "InvalidSignatureException"


def test_a_url_that_was_signed_beforehand_expires() -> None:
    request = signed(presign=True, method="GET", body=b"")
    assert verify(request, later_s=30) == OWNER
    assert code_of(lambda: verify(request, later_s=330)) == "InvalidSignatureException"


GOOD = (
    f"AWS4-HMAC-SHA256 Credential={KEYS.access_key_id}/20260101/us-east-1/lambda/aws4_request,"
    " SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer token",
        "AWS4-HMAC-SHA256",
        GOOD.replace("AWS4", "AWS5"),
        GOOD.replace("Credential=", "Cred="),
        GOOD.replace("/us-east-1", ""),
        GOOD.replace("20260101", "2026"),
        GOOD.replace("aws4_request", "aws5_request"),
        GOOD.replace("host;", ""),
        GOOD.replace("SignedHeaders=host;x-amz-date, ", ""),
        GOOD.replace("0" * 64, "0" * 63),
        GOOD.replace("0" * 64, "Z" * 64),
        GOOD + ", Signature=" + "1" * 64,
        GOOD.replace("us-east-1", "../../etc"),
        GOOD.replace(KEYS.access_key_id, "A" * 500),
    ],
)
def test_what_is_malformed(text: str) -> None:
    request = with_header(signed(), "authorization", text)
    assert code_of(lambda: verify(request)) == "IncompleteSignatureException"


def test_nothing_signed_at_all() -> None:
    request = with_header(signed(), "authorization", None)
    assert code_of(lambda: verify(request)) == "MissingAuthenticationTokenException"


@settings(max_examples=30)
@given(st.text(max_size=300))
def test_whatever_stands_there_is_an_aws_error(text: str) -> None:
    for request in (
        with_header(signed(), "authorization", text),
        with_header(signed(), "authorization", "AWS4-HMAC-SHA256 " + text),
        replace(with_header(signed(), "authorization", None), target=f"/?X-Amz-Signature={text}"),
    ):
        with pytest.raises(AwsError):
            verify(request)
