"""Notes of blocks whose parts are not there, in a table's folder as a killed engine leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_store.embedded.unfinished import take_back_notes


def _table(data: Path, log: bytes, *parts: str) -> Path:
    """The table's log, in a folder with these parts."""
    folder = data / "store" / "0ab" / "0ab-table"
    (folder / "deduplication_logs").mkdir(parents=True)
    for part in parts:
        (folder / part).mkdir()
    path = folder / "deduplication_logs" / "deduplication_log_1.txt"
    path.write_bytes(log)
    return path


def _added(part: str, block: str) -> bytes:
    return f"1\t{part}\t{block}\n".encode()


@pytest.mark.parametrize("left", ["", "tmp_insert_all_2_2_0", "delete_tmp_all_2_2_0", "all_1_1_0_7"])
def test_a_note_without_a_part_is_taken_back(tmp_path: Path, left: str) -> None:
    # Given a kill after the second block's note
    log = _added("all_1_1_0", "all_1_1") + _added("all_2_2_0", "all_2_2")
    path = _table(tmp_path, log, "all_1_1_0", "detached", *filter(None, [left]))
    # I expect that the engine is told so, in its own words
    assert take_back_notes(tmp_path) == 1
    assert path.read_bytes() == log + b"2\tall_2_2_0\tall_2_2\n"
    # ... once
    assert take_back_notes(tmp_path) == 0


@pytest.mark.parametrize(
    "there", ["20261201_5_5_0", "20261201_3_9_2", "20261201_5_5_0_12", "20261201_1_5_1_12"]
)
def test_a_block_that_was_merged_or_changed_is_there(tmp_path: Path, there: str) -> None:
    log = _added("20261201_5_5_0", "20261201_1_1")
    path = _table(tmp_path, log, there)

    assert take_back_notes(tmp_path) == 0
    assert path.read_bytes() == log


@pytest.mark.parametrize("there", ["20261202_5_5_0", "20261201_6_9_1", "20261201_1_4_1", "detached"])
def test_another_part_does_not_stand_for_it(tmp_path: Path, there: str) -> None:
    _table(tmp_path, _added("20261201_5_5_0", "20261201_1_1"), there)

    assert take_back_notes(tmp_path) == 1


def test_a_number_that_was_given_again_is_the_later_blocks(tmp_path: Path) -> None:
    # Given a note that was taken back, and another block with its part's number
    log = _added("all_2_2_0", "all_2_2") + b"2\tall_2_2_0\tall_2_2\n" + _added("all_2_2_0", "all_8_8")
    path = _table(tmp_path, log, "all_2_2_0")

    assert take_back_notes(tmp_path) == 0
    assert path.read_bytes() == log


def test_what_was_not_written_to_its_end_does_not_hide_what_comes_after(tmp_path: Path) -> None:
    # Given a log whose last record is cut
    path = _table(tmp_path, _added("all_1_1_0", "all_1_1") + b"1\tall_2_2", "all_1_1_0")

    assert take_back_notes(tmp_path) == 0
    assert path.read_bytes() == _added("all_1_1_0", "all_1_1")


def test_a_log_that_was_just_begun_does_not_hide_the_one_before(tmp_path: Path) -> None:
    first = _table(tmp_path, _added("all_1_1_0", "all_1_1") + _added("all_2_2_0", "all_2_2"), "all_1_1_0")
    last = first.with_name("deduplication_log_10.txt")
    last.touch()
    first.rename(first.with_name("deduplication_log_9.txt"))

    assert take_back_notes(tmp_path) == 1
    assert last.read_bytes() == b"2\tall_2_2_0\tall_2_2\n"


def test_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    # Given more records than are looked at, and parts of all but the first and the last one
    names = [f"all_{number}_{number}_0" for number in range(5_000)]
    log = b"".join(_added(name, f"all_{name}_{name}") for name in names)
    path = _table(tmp_path, log, *names[1:-1])
    # I expect the last one alone
    assert take_back_notes(tmp_path) == 1
    assert path.read_bytes() == log + f"2\t{names[-1]}\tall_{names[-1]}_{names[-1]}\n".encode()


@pytest.mark.parametrize("log", [b"", b"\n\n", b"garbage", b"1\tno part\tx\n", b"\xff\xfe\n1\t\t\n"])
def test_what_is_no_record_is_left_to_the_engine(tmp_path: Path, log: bytes) -> None:
    path = _table(tmp_path, log)

    assert take_back_notes(tmp_path) == 0
    assert path.read_bytes() == (log if log.endswith(b"\n") else b"")


def test_a_folder_without_tables_has_nothing_to_take_back(tmp_path: Path) -> None:
    assert take_back_notes(tmp_path / "none") == 0
