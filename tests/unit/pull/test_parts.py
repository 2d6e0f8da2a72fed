"""Addresses, the ledger, lanes, shapes and configurations of triggers that pull."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_platform.server_urls import AddressError, hide, problems_of, resolve
from relive_platform.triggers.pull.connector import Record
from relive_platform.triggers.pull.desk import event_id_of, request_of_batch
from relive_platform.triggers.pull.kafka.address import client_options
from relive_platform.triggers.pull.kafka.config import KafkaTrigger
from relive_platform.triggers.pull.lane import Lane
from relive_platform.triggers.pull.ledger import Ledger
from relive_platform.triggers.pull.nats.config import NatsTrigger
from relive_platform.triggers.pull.postgres.config import PostgresTrigger
from relive_platform.triggers.pull.redis.config import RedisTrigger
from relive_platform.triggers.pull.shapes import body_of, encode

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"
_S = 1_000_000_000


def record(mark: str = "m", index: int = 0, **more: Any) -> Record:
    given: dict[str, Any] = {"data": {"value": mark}, "contents": ("value",), "type": "t", "source": "/s"}
    return Record(mark=mark, index=index, **{**given, **more})


# ---------------------------------------------------------------- addresses


def test_a_password_may_only_be_in_the_environment() -> None:
    [(key, message, hint)] = problems_of("redis://:hunter2@host", ("redis",))
    assert key == "url"
    assert "hunter2" not in message + hint
    assert not list(problems_of("redis://host:6379/0", ("redis",)))
    assert not list(problems_of("env:REDIS_URL", ("redis",)))
    assert list(problems_of("env:not a name", ("redis",)))
    assert list(problems_of("redis://host?password=hunter2", ("redis",)))
    assert list(problems_of("http://host", ("redis",)))


def test_a_variable_of_another_kind_is_not_used_and_not_told() -> None:
    environment = {"TOKEN": "very-secret", "REDIS_URL": "redis://:word@host"}
    assert resolve("env:REDIS_URL", ("redis",), environment) == "redis://:word@host"
    for name in ("TOKEN", "NOTHING"):
        with pytest.raises(AddressError) as raised:
            resolve(f"env:{name}", ("redis",), environment)
        assert "very-secret" not in str(raised.value)


@settings(max_examples=50)
@given(st.text(alphabet="abcXYZ0123@:/%?&= ", min_size=4, max_size=20))
def test_an_error_of_a_library_never_shows_the_password(password: str) -> None:
    from urllib.parse import quote

    address = f"postgresql://user:{quote(password, safe='')}@host/db"
    for text in (f"cannot log in with {address}", f"bad password {password}!"):
        shown = hide(text, address)
        assert address not in shown
        assert password not in shown.replace("cannot log in with", "").replace("bad password", "")


def test_kafkas_url_has_everything() -> None:
    options = client_options("kafkas://me:p%40ss@a:1,b:2?mechanism=scram-sha-512")
    assert options["bootstrap_servers"] == "a:1,b:2"
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_plain_password"] == "p@ss"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert client_options("kafka://a:1")["security_protocol"] == "PLAINTEXT"


# ---------------------------------------------------------------- the ledger


def test_a_transaction_is_known_up_to_its_last_index() -> None:
    ledger = Ledger(["tx/4"], 0)
    assert ledger.has(record("tx", 4))
    assert ledger.has(record("tx", 0))
    assert not ledger.has(record("tx", 5))
    ledger.committed(ledger.positions_of([record("tx", 5), record("tx", 6), record("b")]))
    assert ledger.has(record("tx", 6))
    assert ledger.old(0, 600.0) == ("tx/4",)  # a later index tells it, too


def test_what_is_acknowledged_is_kept_for_as_long_as_it_may_come_again() -> None:
    ledger = Ledger([], 0)
    done, half = record("a"), record("tx", 3, final=False)
    ledger.committed(ledger.positions_of([done, half]))
    ledger.settled(ledger.finals_of([done, half]), 0)
    assert ledger.old(599 * _S, 600.0) == ()
    assert ledger.old(601 * _S, 600.0) == ("a/0",)
    assert not ledger.has(done)
    assert ledger.has(half)  # its transaction is not over


# ---------------------------------------------------------------- lanes


async def test_a_batch_ends_at_its_count_or_its_bytes() -> None:
    lane = Lane("", "p-", 3, 10)
    for size in (4, 4, 4, 20, 1):
        found = record()
        found.encoded = b"x" * size
        lane.put(found)
    sizes = []
    while lane.records:
        await lane.ready(60.0)  # enough is there: it does not wait for its window
        batch = lane.batch()
        sizes.append([len(one.encoded) for one in batch])
        lane.done(len(batch))
        if sum(len(one.encoded) for one in lane.records) < 10:
            break
    assert sizes == [[4, 4], [4], [20]]
    lane.done(len(lane.records))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lane.ready(0.0), 0.01)


# ---------------------------------------------------------------- shapes and traces


class Envelope:
    """Of a connector, what makes events."""

    def envelope(self, records: Any, encoded: Any) -> Any:
        return {"records": list(encoded)}


def test_a_record_over_the_limit_comes_without_its_contents() -> None:
    large = record(data={"id": 7, "value": "x" * 500})
    assert encode(large, "default", 200) == 519
    [found] = json.loads(body_of([large], "default", False, Envelope()))["records"]  # type: ignore[arg-type]
    assert found == {"id": 7, "value": None, "omitted": {"bytes": 519, "limit_bytes": 200}}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"a": 1}', {"datacontenttype": "application/json", "data": {"a": 1}}),
        (b"plain", {"datacontenttype": "text/plain", "data": "plain"}),
        (b"\xff", {"data_base64": "/w=="}),
    ],
)
def test_cloudevents(payload: bytes, expected: dict[str, Any]) -> None:
    one = record(payload=payload, traceparent=TRACE)
    assert encode(one, "cloudevents", 1_000) <= 1_000
    event = json.loads(body_of([one], "cloudevents", True, Envelope()))  # type: ignore[arg-type]
    common = {"specversion": "1.0", "id": "m/0", "source": "/s", "type": "t", "traceparent": TRACE}
    assert event == {**common, **expected}
    [same] = json.loads(body_of([one], "cloudevents", False, Envelope()))  # type: ignore[arg-type]
    assert same == event


def test_a_batch_continues_the_trace_that_its_records_share() -> None:
    one = request_of_batch("f", "redis", b"{}", [record(traceparent=TRACE), record(traceparent=TRACE)], {})
    assert (one.trace_id, one.parent_span_id) == (TRACE.split("-")[1], TRACE.split("-")[2])
    assert len(one.links) == 2
    mixed = request_of_batch("f", "redis", b"{}", [record(traceparent=TRACE), record(traceparent=OTHER)], {})
    assert (mixed.trace_id, mixed.parent_span_id, mixed.sampled) == ("", "", True)
    assert [link.trace_id for link in mixed.links] == [TRACE.split("-")[1], OTHER.split("-")[1]]
    bad = request_of_batch("f", "redis", b"{}", [record(traceparent="nonsense")], {})
    assert (bad.trace_id, bad.links) == ("", [])


def test_an_event_id_is_made_of_positions_and_contents() -> None:
    same = event_id_of("p-", [record("a")], b"1")
    assert same == event_id_of("p-", [record("a")], b"1")
    assert same != event_id_of("p-", [record("b")], b"1")
    assert same != event_id_of("p-", [record("a")], b"2")


# ---------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    ("trigger", "key"),
    [
        (PostgresTrigger(url="env:A"), "type"),
        (PostgresTrigger(url="env:A", tables=("a",), outbox="b"), "tables"),
        (PostgresTrigger(url="env:A", tables=("a",), operations=("upsert",)), "operations"),
        (PostgresTrigger(url="env:A", tables=("a",), operations=()), "operations"),
        (PostgresTrigger(url="env:A", tables=("a",), slot="Not-A-Slot"), "slot"),
        (RedisTrigger(url="env:A", stream=""), "stream"),
        (NatsTrigger(url="env:A", subject="a..b"), "subject"),
        (NatsTrigger(url="env:A", subject="a", durable="a.b"), "durable"),
        (KafkaTrigger(url="env:A", topics=()), "topics"),
        (KafkaTrigger(url="env:A", topics=("no topic",)), "topics"),
    ],
)
def test_what_cannot_work_is_told_before_a_deploy(trigger: Any, key: str) -> None:
    assert [found[0] for found in trigger.problems()] == [key]


def test_other_tables_are_the_same_slot_and_another_stream_is_another_place() -> None:
    before, after = (PostgresTrigger(url="env:A", tables=names) for names in (("a",), ("a", "b")))
    assert before.tag("f") == after.tag("f")
    assert before.tag("f") != before.tag("g")
    assert RedisTrigger(url="env:A", stream="a").tag("f") != RedisTrigger(url="env:A", stream="b").tag("f")
