"""Bodies of requests that come compressed: no secret stays in them, and a replay can read them."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from relive_base.records import InvocationRecord
from relive_base.wire.messages import HttpRequest
from relive_capture.explore.parts import HealthyEvent, SceneInput, write_scene
from relive_capture.explore.scene.archive import SceneFile, read_scene
from relive_capture.explore.scene.content_coding import decoded

SECRET = b'{"password": "hunter2X", "sku": "A1"}'
HIDDEN = {"password": "[redacted]", "sku": "A1"}


def posted(body: bytes, coding: str) -> HttpRequest:
    return HttpRequest("POST", "/orders", headers=[("content-encoding", coding)], body=body)


def scene(folder: Path, request: HttpRequest, healthy: HttpRequest | None = None) -> SceneFile:
    record = InvocationRecord(
        invocation_id="0192b0a0-0000-7000-8000-000000000007",
        trace_id="a" * 32,
        span_id="b" * 16,
        function="shop",
        version=1,
        trigger_span_id="c" * 16,
        status="error",
    )
    before = None if healthy is None else HealthyEvent("an-earlier-one", 1, http=healthy)
    write_scene(folder / "a.scene", SceneInput(record=record, http=request, healthy=before))
    return read_scene(folder / "a.scene")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(SECRET)),
        ("x-gzip", gzip.compress(SECRET)),
        ("deflate", zlib.compress(SECRET)),
        ("br", brotli.compress(SECRET)),
        ("zstd", zstandard.compress(SECRET)),
        ("gzip, br", brotli.compress(gzip.compress(SECRET))),
    ],
)
def test_a_secret_in_a_compressed_body_does_not_reach_the_scene(
    tmp_path: Path, coding: str, body: bytes
) -> None:
    # Given a request that failed, and one before it that did not, both compressed
    found = scene(tmp_path, posted(body, coding), posted(body, coding))

    # I expect both to be compressed as their headers say, without the secret
    for kept in (found.member("event.bin"), found.member("healthy/event.bin")):
        plain = decoded(kept, coding, 1_000)
        assert plain is not None
        assert json.loads(plain) == HIDDEN
    assert found.parts["event"].state == "partial"


def test_a_compressed_body_without_secrets_stays_byte_for_byte(tmp_path: Path) -> None:
    body = gzip.compress(b'{"sku": "A1"}')

    assert scene(tmp_path, posted(body, "gzip")).member("event.bin") == body


def test_a_body_that_cannot_be_looked_into_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    body = b"\x00\xff" + SECRET

    found = scene(tmp_path, posted(body, "compress"), posted(body, "compress"))

    assert (found.parts["event"].state, found.parts["healthy"].state) == ("missing", "missing")
    assert "Content-Encoding" in found.parts["event"].reason
    assert b"hunter2X" not in (tmp_path / "a.scene").read_bytes()


def test_a_body_that_is_text_whatever_its_headers_say_is_kept_as_text(tmp_path: Path) -> None:
    found = scene(tmp_path, posted(SECRET, "gzip"))

    assert json.loads(found.member("event.bin")) == HIDDEN


def test_a_secret_that_the_route_names_is_not_in_the_path(tmp_path: Path) -> None:
    request = HttpRequest("GET", "/reset/hunter2X", route="/reset/{token}")

    assert json.loads(scene(tmp_path, request).member("context.json"))["http"]["path"] == "/reset/[redacted]"
