"""What goes into one file of the spool: nothing is lost, and no file is of two runs of a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_store import Mark
from relive_store.interface import INSERT_CHUNK_ROWS
from relive_store.packing import unpack
from relive_store.spool.packs import FILE_ROWS, Group, Piece, chunks, packed

marks = st.none() | st.builds(Mark, st.sampled_from([1, 2]), st.integers(0, 9), st.integers(0, 9))
columns = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda values: {"a": values})
pieces = st.lists(st.tuples(st.sampled_from(["t", "u"]), columns), max_size=3)


def group_of(given: list[tuple[str, dict[str, list[int]]]], mark: Mark | None) -> Group:
    made = [Piece(table, columns, len(columns["a"])) for table, columns in given]
    return Group(made, sum(piece.rows for piece in made), 0, 0, mark)


@given(st.lists(st.builds(group_of, pieces, marks), max_size=12))
def test_every_row_is_in_one_file_and_every_file_of_one_run(groups: list[Group]) -> None:
    # Given what was added
    added = sorted(
        (piece.table, value) for group in groups for piece in group.pieces for value in piece.columns["a"]
    )
    # When it is cut into files and packed
    files = [(chunk, packed(chunk)) for chunk in chunks(groups)]
    # I expect all of it, once
    found = sorted(
        (batch.table, value)
        for _, pack in files
        for batch in pack.batches
        for value in unpack(batch.columns)["a"]
    )
    assert found == added
    assert sum(pack.groups for _, pack in files) == len(groups)
    # ... and marks of one run in each file, as far as the last of them says
    for chunk, pack in files:
        told = [group.mark for group in chunk if group.mark is not None]
        assert len({mark.run for mark in told}) <= 1
        if told:
            assert pack.mark is not None
            assert pack.mark.rows == max(mark.rows for mark in told)


def test_a_file_is_not_made_of_too_many_rows() -> None:
    large = [group_of([("t", {"a": [1] * (FILE_ROWS // 2)})], None) for _ in range(5)]

    assert [len(chunk) for chunk in chunks(large)] == [2, 2, 1]


def test_rows_that_cannot_be_packed_cost_themselves() -> None:
    good = Piece("t", {"a": [1]}, 1)
    bad = Piece("u", {"a": [object()]}, 1)

    pack = packed([Group([good, bad], 2, 0, 0)])

    assert [batch.table for batch in pack.batches] == ["t"]
    assert [(rows, reason[:2]) for rows, reason in pack.lost] == [(1, "u:")]


def test_an_insert_is_one_block() -> None:
    # Given more rows of a table, added at once, than an insert sends in one block
    rows = INSERT_CHUNK_ROWS + 5
    pack = packed([group_of([("t", {"a": [1] * rows})], None)])
    # I expect several inserts: of each, the store takes all or nothing
    assert sum(batch.rows for batch in pack.batches) == rows
    assert max(batch.rows for batch in pack.batches) <= INSERT_CHUNK_ROWS
