"""Events of objects: keys encoded as S3 does, and which a trigger wants."""

from __future__ import annotations

from urllib.parse import unquote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.queue.config import QueueConfig
from relive_platform.triggers.bucket.config import CREATED, REMOVED, BucketTrigger
from relive_platform.triggers.bucket.events import ObjectEvent, encoded_key, shaped

EVENT = ObjectEvent(
    name=CREATED,
    ident="i",
    bucket="b",
    key=b"red flower@2.jpg",
    time_ns=1_700_000_000_123_456_789,
    size=5,
    etag="e",
)


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        (b"red flower.jpg", "red+flower.jpg"),  # of S3's documentation
        (b"a@b", "a%40b"),  # as recorded of S3 itself
        (b"dir/sub dir/x+y.txt", "dir/sub+dir/x%2By.txt"),
        ("grün".encode(), "gr%C3%BCn"),
        (b"a\nb\xff", "a%0Ab%FF"),
        (b"-_.*~()='", "-_.*%7E%28%29%3D%27"),
    ],
)
def test_keys_are_encoded_as_s3_does(key: bytes, encoded: str) -> None:
    assert encoded_key(key) == encoded


@given(st.binary(max_size=40))
def test_a_key_can_be_had_again(key: bytes) -> None:
    assert unquote_to_bytes(encoded_key(key).replace("+", " ")) == key
    if key.isascii():
        assert unquote_plus(encoded_key(key)).encode() == key


def test_a_function_gets_it_in_the_shape_that_it_wants() -> None:
    [record] = shaped(EVENT, "s3")["Records"]
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert record["eventTime"] == "2023-11-14T22:13:20.123Z"
    sequencer = f"{EVENT.time_ns:018X}"
    expected = {"key": "red+flower%402.jpg", "size": 5, "eTag": "e", "sequencer": sequencer}
    assert record["s3"]["object"] == expected
    bridge = shaped(EVENT, "eventbridge")
    assert (bridge["detail-type"], bridge["detail"]["object"]["key"]) == (
        "Object Created",
        "red flower@2.jpg",
    )
    cloud = shaped(EVENT, "cloudevents")
    assert (cloud["type"], cloud["subject"]) == ("com.amazonaws.s3.ObjectCreated:Put", "red+flower%402.jpg")
    gone = ObjectEvent(name=REMOVED, ident="i", bucket="b", key=b"k", time_ns=1)
    assert set(shaped(gone, "s3")["Records"][0]["s3"]["object"]) == {"key", "sequencer"}
    assert shaped(gone, "eventbridge")["detail"]["deletion-type"] == "Permanently Deleted"


def test_a_trigger_wants_what_it_names() -> None:
    trigger = BucketTrigger.of({"bucket": "b", "prefix": "in/", "suffix": ".png"})
    assert trigger.wants(CREATED, "in/a.png")
    assert not trigger.wants(CREATED, "in/a.jpg")
    assert not trigger.wants(CREATED, "out/a.png")
    assert not trigger.wants(REMOVED, "in/a.png")
    both = BucketTrigger.of({"bucket": "b", "events": ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]})
    assert both.wants(CREATED, "x")
    assert both.wants(REMOVED, "x")
    assert both.describe() == "bucket b ObjectCreated:Put,ObjectRemoved:*"


def test_what_cannot_be_is_told() -> None:
    assert [key for key, *_ in BucketTrigger.of({"bucket": "b", "events": ["s3:Moved"]}).problems()] == [
        "events"
    ]
    assert [key for key, *_ in BucketTrigger(bucket="b").problems_among({"b": QueueConfig()})] == ["bucket"]
    assert not list(BucketTrigger(bucket="b").problems_among({"b": BucketConfig()}))
    for path in ("relative", "/", "/a/../b"):
        assert [key for key, *_ in BucketConfig(path=path).problems()] == ["path"]
    assert [key for key, *_ in BucketConfig(endpoint="file:///x").problems()] == ["endpoint"]
    assert not list(BucketConfig(path="/a", endpoint="http://127.0.0.1:7070").problems())
    assert "its folder is /a so far" in BucketConfig(path="/b").replaces(BucketConfig(path="/a"))
    assert not BucketConfig(path="/a", settle_s=2).replaces(BucketConfig(path="/a"))
