"""The journal: what was written is there after the end of its writer, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from relive_base.parts import ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_platform.evidence import Finished, SceneJob
from relive_platform.signals.handover.batches import (
    Answered,
    Begun,
    HeapJob,
    Item,
    Source,
    Telemetry,
    Tentative,
    encode_begun,
    encode_finished,
    encode_item,
)
from relive_platform.signals.handover.journal import HEADER_BYTES, Journal, abandoned, read_segments, runs_in
from relive_platform.signals.handover.recovery import recover

SMALL = 16 * 1024
LIMIT = 64 * 1024 * 1024
SOURCE = msgspec.Raw(msgspec.msgpack.encode(Source("f", 1)))


def record(number: int, *, attempt: int = 1, status: str = "ok", dispatched: bool = True) -> InvocationRecord:
    return InvocationRecord(
        invocation_id=f"i{number}",
        function="f",
        version=1,
        trace_id="0" * 32,
        span_id="1" * 16,
        trigger_span_id="2" * 16,
        attempt=attempt,
        status=status,
        accepted_ns=1_000,
        dispatched_ns=2_000 if dispatched else 0,
    )


def key(number: int) -> tuple[str, int]:
    return f"i{number}", 1


def line(text: str) -> bytes:
    return encode_item(Telemetry(SOURCE, "i1", 1, text.encode()))


def answer(number: int, status: str = "ok") -> bytes:
    return encode_item(Answered(f"i{number}", 1, status, 2, 3, 4, 5, 200, 10, 77, 1))


def items(folder: Path) -> list[Item]:
    return [item for segment in read_segments(folder) for item in segment.items]


def test_the_short_way_to_the_items_of_each_invocation_gives_the_same_bytes() -> None:
    one = record(1)
    assert encode_begun(one) == encode_item(Begun(one))
    for profiles in ([], [b"p" * 300]):
        for keys in ([], ["pin"]):
            for updates in ([], [b"u"]):
                item = Finished(one, profiles, keys, updates)
                assert encode_finished(item) == encode_item(item)


def test_what_is_written_survives_a_kill_of_the_writer(tmp_path: Path) -> None:
    # Given a process that writes as fast as it can, and says how far it has come
    script = f"""
import sys
from pathlib import Path
from relive_platform.signals.handover.batches import Telemetry, encode_item
from relive_platform.signals.handover.journal import Journal
import msgspec
journal = Journal(Path({str(tmp_path / "a")!r}), {LIMIT}, {SMALL})
number = 0
while True:
    journal.row(encode_item(Telemetry(msgspec.Raw(b"\\x92\\xa1f\\x01"), "i", 1, b"%d" % number)))
    number += 1
    if number % 500 == 0:
        print(number, flush=True)
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(20):
        said = int(writer.stdout.readline())
    assert not abandoned(tmp_path / "a")
    # When it is killed in the middle
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read()
    writer.wait()
    said = max([said, *map(int, rest.split("\n")[:-1])])
    # I expect all that it said it had written, in order, and whole
    found = [int(item.payload) for item in items(tmp_path / "a") if isinstance(item, Telemetry)]
    assert found == list(range(len(found)))
    assert len(found) >= said
    assert abandoned(tmp_path / "a")


def test_settled_segments_go_and_the_attempts_that_run_stay_known(tmp_path: Path) -> None:
    # Given an attempt that runs while many segments are filled
    journal = Journal(tmp_path / "a", LIMIT, SMALL)
    journal.begin(key(1), encode_item(Begun(record(1))))
    for number in range(2_000):
        journal.row(line(f"line {number}"))
    assert len(list((tmp_path / "a").glob("*.segment"))) > 3
    # When everything is spooled
    journal.settled(journal.rows, journal.scenes)
    # I expect few files to be left, and the attempt in them
    assert len([segment for segment in read_segments(tmp_path / "a") if segment.items]) == 1
    found = recover(read_segments(tmp_path / "a"), journal.rows, 0, 9_000)
    assert [item.record.invocation_id for item in found.ended] == ["i1"]
    assert (found.lost, found.rows, found.missing) == (1, [], 0)
    assert found.last_row == 2_000


def test_segments_are_used_again_and_what_was_in_them_is_void(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", LIMIT, SMALL)
    for number in range(20_000):
        journal.row(line(f"line {number}"))
        if number % 100 == 0:
            journal.settled(journal.rows - 50, 0)
    assert len(list((tmp_path / "a").glob("*.segment"))) <= 6
    found = recover(read_segments(tmp_path / "a"), 19_900, 0, 0)
    assert [item.payload for _, item in found.rows if isinstance(item, Telemetry)] == [
        f"line {number}".encode() for number in range(19_900, 20_000)
    ]


def test_an_item_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", LIMIT, SMALL)
    large = SceneJob(record(1, status="error"), event=b"x" * 10 * SMALL)
    journal.row(line("before"))
    journal.scene(encode_item(large))
    journal.row(line("behind"))
    found = recover(read_segments(tmp_path / "a"), 0, 0, 0)
    assert [number for number, _ in found.rows] == [1, 2]
    [(number, job)] = found.scenes
    assert number == 1
    assert isinstance(job, SceneJob)
    assert job.event == large.event


def test_a_full_journal_is_off_until_there_is_room_and_numbers_stay_true(tmp_path: Path) -> None:
    # Given room for two segments, which nobody spools
    now = [0.0]
    journal = Journal(tmp_path / "a", 2 * SMALL, SMALL, lambda: now[0])
    for number in range(2_000):
        journal.row(line(f"line {number}"))
    assert "full" in journal.problem
    # When there is room again
    journal.settled(2_000, 0)
    now[0] += 60
    journal.row(line("on again"))
    # I expect it to go on with the right number, and what was not written to count as missing if it is needed
    assert not journal.problem
    found = recover(read_segments(tmp_path / "a"), 2_000, 0, 0)
    assert [number for number, _ in found.rows] == [2_001]
    assert found.missing == 0
    assert recover(read_segments(tmp_path / "a"), 1_990, 0, 0).missing == 10


def test_a_disk_without_room_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")  # as good as a disk that takes nothing
    journal = Journal(tmp_path / "file" / "a", LIMIT, SMALL)
    journal.begin(key(1), encode_item(Begun(record(1))))
    journal.row(line("x"))
    journal.end(key(1), encode_item(Finished(record(1))))
    assert "cannot be written" in journal.problem
    assert journal.rows == 2
    journal.close(remove=True)


def test_a_journal_that_is_closed_in_order_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "ab", LIMIT, SMALL)
    journal.row(line("x"))
    assert runs_in(tmp_path) == [0xAB]
    journal.close(remove=True)
    assert runs_in(tmp_path) == []


@given(st.binary(max_size=400), st.integers(0, 600))
def test_damage_costs_what_is_damaged_and_never_raises(noise: bytes, place: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "a"
        journal = Journal(folder, LIMIT, SMALL)
        for number in range(8):
            journal.row(line(f"line {number}"))
        journal.close(remove=False)
        [path] = folder.glob("*.segment")
        data = bytearray(path.read_bytes())
        data[HEADER_BYTES + place : HEADER_BYTES + place + len(noise)] = noise
        path.write_bytes(data[: len(data)])
        recover(read_segments(folder), 0, 0, 0)


# ---------------------------------------------------------------- what is made of it


def test_each_attempt_is_recovered_as_far_as_it_had_come(tmp_path: Path) -> None:
    # Given attempts of which one is recorded, one was answered, one failed, one runs, and one waits
    journal = Journal(tmp_path / "a", LIMIT)
    for number in range(1, 6):
        journal.begin(key(number), encode_item(Begun(record(number, dispatched=number != 5))))
    journal.end(key(1), encode_item(Finished(record(1))))
    journal.add(key(2), answer(2))
    failed = record(3, status="error")
    failed.error = ErrorInfo(type="KeyError", message="sku")
    journal.add(key(3), encode_item(Tentative(SceneJob(failed, event=b'{"a": 1}'))))
    # When the server is gone
    found = recover(read_segments(tmp_path / "a"), 0, 0, 9_000)
    # I expect a row for each
    assert [(number, type(item).__name__) for number, item in found.rows] == [(1, "Finished")]
    rows = {item.record.invocation_id: item.record for item in found.ended}
    assert {name: row.status for name, row in rows.items()} == {
        "i2": "ok",
        "i3": "error",
        "i4": "lost",
        "i5": "lost",
    }
    assert (rows["i2"].started_ns, rows["i2"].ended_ns, rows["i2"].http_status) == (3, 4, 200)
    assert (rows["i4"].started_ns, rows["i4"].ended_ns) == (2_000, 9_000)
    assert rows["i5"].started_ns == 0
    assert rows["i4"].error is not None
    assert rows["i4"].error.message
    # ... and the scene of the one that failed, which says what is not in it
    [job] = found.last_scenes
    assert job.event == b'{"a": 1}'
    assert job.parts["live"].state == "missing"
    assert rows["i3"].has_scene
    assert not rows["i4"].has_scene
    assert found.lost == 2


def test_what_is_spooled_already_is_not_there_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", LIMIT)
    for number in range(10):
        journal.row(line(f"line {number}"))
    journal.scene(encode_item(SceneJob(record(1, status="error"))))
    journal.scene(encode_item(HeapJob(record(1, status="error"), ok(), "/raw")))
    found = recover(read_segments(tmp_path / "a"), 7, 1, 0)
    assert [number for number, _ in found.rows] == [8, 9, 10]
    assert [(number, type(job).__name__) for number, job in found.scenes] == [(2, "HeapJob")]
    assert (found.last_row, found.last_scene, found.missing) == (10, 2, 0)
