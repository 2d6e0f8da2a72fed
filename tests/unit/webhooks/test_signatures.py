"""Signatures of webhooks: those that the senders' own documents and libraries give, and what is no
signature."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.webhook.signatures import (
    SCHEMES,
    BadSecret,
    BadSignature,
    Signed,
    Terms,
    Verified,
)

NOW = 1_700_000_000.0
SECRET = b"It's a Secret to Everybody"
BODY = b'{"id": "evt_1"}'
STANDARD = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def sign(content: bytes, secret: bytes = SECRET, algorithm: str = "sha256") -> str:
    return hmac.new(secret, content, algorithm).hexdigest()


def github(body: bytes = BODY, secret: bytes = SECRET) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={sign(body, secret)}", "x-github-delivery": "d-1"}


def stripe(body: bytes = BODY, secret: bytes = SECRET, at: float = NOW) -> dict[str, str]:
    text = str(int(at))
    return {"stripe-signature": f"t={text},v1={'0' * 64},v1={sign(text.encode() + b'.' + body, secret)}"}


def slack(body: bytes = BODY, secret: bytes = SECRET, at: float = NOW) -> dict[str, str]:
    text = str(int(at))
    content = b"v0:" + text.encode() + b":" + body
    return {"x-slack-request-timestamp": text, "x-slack-signature": f"v0={sign(content, secret)}"}


def standard(body: bytes = BODY, at: float = NOW, prefix: str = "webhook") -> dict[str, str]:
    text = str(int(at))
    key = base64.b64decode(STANDARD[6:])
    made = base64.b64encode(hmac.new(key, f"msg_1.{text}.".encode() + body, hashlib.sha256).digest()).decode()
    return {
        f"{prefix}-id": "msg_1",
        f"{prefix}-timestamp": text,
        f"{prefix}-signature": f"v1a,ed25519 v1,bm90aGluZw== v1,{made}",
    }


def verify(
    scheme: str,
    headers: dict[str, str],
    body: bytes = BODY,
    *secrets: bytes,
    now_s: float = NOW,
    **terms: object,
) -> Verified:
    return SCHEMES[scheme](Signed(headers, body, now_s), secrets or (SECRET,), Terms(**terms))  # type: ignore[arg-type]


def test_github_says_itself_what_a_signature_is() -> None:
    # the example of GitHub's documentation
    headers = {
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    assert verify("github", headers, b"Hello, World!").signature


def test_slack_says_itself_what_a_signature_is() -> None:
    # the example of Slack's documentation
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    assert verify("slack", headers, body, b"8f742231b10e8888abcd99yyyzzz85a5", now_s=1531420618.0).timed


def test_standard_webhooks_says_itself_what_a_signature_is() -> None:
    # the example of the specification
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    found = verify("standard", headers, b'{"test": 2432232314}', STANDARD, now_s=1614265330.0)
    assert found.delivery == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(
    ("scheme", "headers", "secret"),
    [
        ("github", github(), SECRET),
        ("stripe", stripe(), SECRET),
        ("slack", slack(), SECRET),
        ("standard", standard(), STANDARD),
        ("standard", standard(prefix="svix"), STANDARD),
    ],
)
def test_who_has_the_secret_passes_and_nobody_else(
    scheme: str, headers: dict[str, str], secret: bytes
) -> None:
    # Given a request that is signed
    # I expect it to pass, also while the secret is changed
    assert verify(scheme, headers, BODY, secret).signature
    other = b"whsec_" + base64.b64encode(b"another") if scheme == "standard" else b"another"
    assert verify(scheme, headers, BODY, other, secret).signature

    # ... and nothing else: another secret, another body, no header, half of one
    for body, secrets in ((BODY, (other,)), (BODY + b" ", (secret,)), (b"", (secret,))):
        with pytest.raises(BadSignature):
            verify(scheme, headers, body, *secrets)
    for name in headers:
        if name == "x-github-delivery":
            continue
        for value in (
            "",
            headers[name][:-1],
            headers[name].upper(),
            "x",
            "t=1,v1=",
            "v0=",
            "\xff=\xe9",
            "v1,é",
        ):
            if value != headers[name]:
                with pytest.raises(BadSignature):
                    verify(scheme, {**headers, name: value}, BODY, secret)


@pytest.mark.parametrize("skew", [-301, 301])
def test_what_was_signed_too_long_ago_or_will_be_is_refused(skew: int) -> None:
    for scheme, headers, secret in (
        ("stripe", stripe(at=NOW + skew), SECRET),
        ("slack", slack(at=NOW + skew), SECRET),
        ("standard", standard(at=NOW + skew), STANDARD),
    ):
        with pytest.raises(BadSignature, match="clock"):
            verify(scheme, headers, BODY, secret)
        assert verify(scheme, headers, BODY, secret, tolerance_s=302.0).timed


def test_two_times_in_one_header_are_refused() -> None:
    headers = {"stripe-signature": f"t=1,{stripe()['stripe-signature']}"}
    with pytest.raises(BadSignature, match="single"):
        verify("stripe", headers)


def test_a_sender_of_another_kind_can_be_described() -> None:
    # Given one that signs as Shopify does, one with a time, and one that sends a token
    made = base64.b64encode(hmac.new(SECRET, BODY, "sha256").digest()).decode()
    assert verify(
        "hmac", {"x-shopify-hmac-sha256": made}, header="x-shopify-hmac-sha256", encoding="base64"
    ).signature
    timed = {
        "x-sig": f"v1:{sign(b'1700000000.' + BODY, algorithm='sha512')}",
        "x-time": "1700000000",
        "x-id": "7",
    }
    terms = {
        "header": "x-sig",
        "prefix": "v1:",
        "algorithm": "sha512",
        "timestamp_header": "x-time",
        "id_header": "x-id",
    }
    assert verify("hmac", timed, **terms) == Verified("7", timed["x-sig"][3:], True)
    assert verify("token", {"x-gitlab-token": SECRET.decode()}, header="x-gitlab-token")

    bearer = {"authorization": f"Bearer {SECRET.decode()}"}
    assert verify("token", bearer, header="authorization", prefix="Bearer ")
    with pytest.raises(BadSignature, match="begin with"):
        verify("token", {"authorization": SECRET.decode()}, header="authorization", prefix="Bearer ")

    # I expect what is another one to be refused
    for headers in ({}, {"x-gitlab-token": "x"}, {"x-gitlab-token": SECRET.decode() + " "}):
        with pytest.raises(BadSignature):
            verify("token", headers, header="x-gitlab-token")
    with pytest.raises(BadSignature):
        verify("hmac", {**timed, "x-time": "1700000001"}, **terms)


def test_a_secret_that_cannot_be_one_is_told_apart_from_a_signature() -> None:
    for secret in (b"whsec_", b"whsec_!!!", b"not base64"):
        with pytest.raises(BadSecret):
            verify("standard", standard(), BODY, secret)


def test_a_thousand_signatures_are_not_all_tried() -> None:
    good = stripe()["stripe-signature"]
    many = ",".join(
        ["t=1700000000", *(["v1=" + "0" * 64] * 1_000), good.rpartition(",v1=")[1][1:] + good.split("v1=")[2]]
    )
    with pytest.raises(BadSignature):
        verify("stripe", {"stripe-signature": many})


@given(
    st.sampled_from(list(SCHEMES)),
    st.dictionaries(
        st.sampled_from(
            [
                "x-hub-signature-256",
                "stripe-signature",
                "x-slack-signature",
                "x-slack-request-timestamp",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "x-sig",
            ]
        ),
        st.text(max_size=40),
    ),
    st.binary(max_size=20),
)
def test_nothing_that_is_sent_is_more_than_refused(scheme: str, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(scheme, headers, body, STANDARD, header="x-sig", timestamp_header="x-time")
