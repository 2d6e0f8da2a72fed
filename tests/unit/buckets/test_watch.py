"""A watched folder: each object that is new, other or gone is told once; what happened meanwhile is found."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from patience import PATIENCE_S
from relive_base.errors import Refused
from relive_platform.resources.bucket import watch as watch_module
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.bucket.journal import JournalFailed, ObjectJournal
from relive_platform.resources.bucket.objects import Identity, look, notes_of, scan, written_by_someone
from relive_platform.resources.bucket.watch import BucketWatch, Change


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon."""
    monkeypatch.setattr(watch_module, "_AGAIN_S", 0.02)


FAST = BucketConfig(settle_s=0.05, rescan_s=3600.0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Told:
    """Hears of changes; refuses while `full`."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, bytes]] = []
        self.full = False

    async def __call__(self, change: Change) -> None:
        if self.full:
            raise Refused("no room")
        self.changes.append(("+" if change.identity else "-", change.key))

    async def has(self, *wanted: tuple[str, bytes]) -> None:
        """Wait until exactly these were told since the last time."""
        await until(lambda: bool(set(wanted) <= set(self.changes)))
        assert sorted(self.changes) == sorted(wanted)
        self.changes.clear()


@contextlib.asynccontextmanager
async def watching(
    tmp_path: Path, told: Told, config: BucketConfig = FAST, baseline: bool = False
) -> AsyncIterator[BucketWatch]:
    """The bucket of `tmp_path`, watched. `baseline`: what is there is not told."""
    root = os.fsencode(tmp_path / "objects")
    journal = ObjectJournal(tmp_path / "buckets.db")
    if "b" not in journal.buckets():
        journal.begin("b", os.fsdecode(root), "app", 1, scan(root, 1_000).objects if baseline else {})
    watch = BucketWatch("b", root, config, journal, told)
    watch.start()
    try:
        yield watch
    finally:
        await watch.close()
        journal.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "objects"
    found.mkdir()
    return found


async def test_files_are_told_when_they_come_change_and_go(tmp_path: Path, folder: Path) -> None:
    told = Told()
    async with watching(tmp_path, told):
        (folder / "a").write_text("1")
        await told.has(("+", b"a"))
        (folder / "a").write_text("22")
        await told.has(("+", b"a"))
        deep = folder / "x" / "y"
        deep.mkdir(parents=True)
        (deep / "z").write_text("1")
        await told.has(("+", b"x/y/z"))
        (deep / "w").write_text("in a folder that is watched by now")
        await told.has(("+", b"x/y/w"))
        (folder / "x").rename(folder / "v")
        await told.has(("-", b"x/y/z"), ("-", b"x/y/w"), ("+", b"v/y/z"), ("+", b"v/y/w"))
        (folder / "a").unlink()
        await told.has(("-", b"a"))


async def test_what_happened_while_nobody_watched_is_told_and_nothing_twice(
    tmp_path: Path, folder: Path
) -> None:
    # Given files of before, which are not told
    told = Told()
    for name in ("kept", "changed", "removed"):
        (folder / name).write_text(name)
    async with watching(tmp_path, told, baseline=True) as watch:
        (folder / "new").write_text("new")
        await told.has(("+", b"new"))
        await until(lambda: watch.counts.told)  # it is in the journal: one that ends before tells it again

    # When nobody watches
    (folder / "changed").write_text("otherwise")
    (folder / "removed").unlink()
    (folder / "later").write_text("later")

    # I expect exactly that at the next start
    async with watching(tmp_path, told):
        await told.has(("+", b"changed"), ("-", b"removed"), ("+", b"later"))


async def test_a_file_that_somebody_writes_is_not_told(tmp_path: Path, folder: Path) -> None:
    # Given a writer that pauses for longer than a file has to rest
    told = Told()
    async with watching(tmp_path, told):
        with (folder / "half").open("wb", buffering=0) as file:
            file.write(b"the first half")
            (folder / "other").write_text("x")
            await told.has(("+", b"other"))
            assert written_by_someone(os.fsencode(folder), b"half")
            (folder / "another").write_text("later")
            await told.has(("+", b"another"))
            file.write(b" and the second")
            assert not told.changes

        # I expect it once it is closed
        await told.has(("+", b"half"))
        assert not written_by_someone(os.fsencode(folder), b"half")

        # ... and one that is moved into place at once
        (tmp_path / "ready").write_text("whole")
        (tmp_path / "ready").rename(folder / "moved")
        await told.has(("+", b"moved"))


async def test_what_cannot_be_told_now_is_told_later(tmp_path: Path, folder: Path) -> None:
    told = Told()
    told.full = True
    async with watching(tmp_path, told) as watch:
        (folder / "a").write_text("1")
        await until(lambda: bool(watch.counts.failed))
        assert watch.counts.error == "no room"
        assert watch.waiting == 1
        told.full = False
        await told.has(("+", b"a"))
        await until(lambda: not (watch.counts.error or watch.waiting))


async def test_links_and_what_is_no_file_are_no_objects(tmp_path: Path, folder: Path) -> None:
    # Given links out of the folder, in a circle, to a device, and other things that are no files
    told = Told()
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("x")
    async with watching(tmp_path, told) as watch:
        (folder / "out").symlink_to(secret)
        (folder / "file").symlink_to(secret / "key")
        (folder / "circle").symlink_to(folder)
        (folder / "root").symlink_to("/")
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(folder / "socket"))
        (secret / "later").write_text("x")
        (folder / "last").write_text("x")
        await told.has(("+", b"last"))

        # I expect nothing of them to be looked at or watched, also if a folder becomes a link between two
        # looks
        assert list(watch._watches) == [b""]
        assert look(os.fsencode(folder), b"out/key") is None
        assert look(os.fsencode(folder), b"../secret/key") is None
        assert look(os.fsencode(folder), b"file") is None
        assert not written_by_someone(os.fsencode(folder), b"pipe")
        assert notes_of(os.fsencode(folder), b"out/key", Identity(1, 2, 3))[1] == ""


async def test_odd_names_are_keys_like_others(tmp_path: Path, folder: Path) -> None:
    told = Told()
    names = [b"a\nb", b"\xff\xfe", "grün +%&=?#~*.txt".encode(), b"-rf", b"\x1b[31mred", b"x" * 255]
    async with watching(tmp_path, told):
        for name in names:
            (folder / os.fsdecode(name)).write_text("x")
        await told.has(*[("+", name) for name in names])


async def test_what_is_ignored_or_too_much_is_left_out(tmp_path: Path, folder: Path) -> None:
    told = Told()
    config = BucketConfig(settle_s=0.05, rescan_s=3600.0, max_objects=3, ignore=("*.part", "tmp/*"))
    (folder / "tmp").mkdir()
    for name in ("a", "b", "c", "d", "e", "f.part", "tmp/g"):
        (folder / name).write_text("x")
    async with watching(tmp_path, told, config) as watch:
        await told.has(("+", b"a"), ("+", b"b"), ("+", b"c"))
        assert watch.counts.left_out == 2


async def test_a_kernel_that_watches_nothing_more_is_no_reason_to_miss_anything(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine with no inotify watch left
    def none_left(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(watch_module.Inotify, "add_watch", none_left)
    told = Told()
    async with watching(tmp_path, told, BucketConfig(settle_s=0.05, rescan_s=0.1)) as watch:
        (folder / "a").write_text("x")

        # I expect it to be found by comparing, and the reason to be told
        await told.has(("+", b"a"))
        assert "No space left" in watch.counts.error


async def test_a_folder_that_vanishes_is_told_as_an_error_and_not_as_many_removals(
    tmp_path: Path, folder: Path
) -> None:
    told = Told()
    async with watching(tmp_path, told, BucketConfig(settle_s=0.05, rescan_s=0.1)) as watch:
        (folder / "a").write_text("x")
        await told.has(("+", b"a"))
        os.rename(folder, tmp_path / "elsewhere")
        await until(lambda: not ("No such file" not in watch.counts.error))
        (tmp_path / "elsewhere").rename(folder)
        (folder / "b").write_text("x")
        await told.has(("+", b"b"))


def test_a_journal_has_one_owner(tmp_path: Path) -> None:
    first = ObjectJournal(tmp_path / "buckets.db")
    first.begin("b", "/x", "app", 1, {b"a": Identity(1, 2, 3)})
    first.told("b", {b"a": None, b"c\xff": Identity(4, 5, 6)})
    assert first.known("b") == {b"c\xff": Identity(4, 5, 6)}
    first.forget("b")
    assert not first.known("b")
    assert not first.buckets()
    first.close()
    (tmp_path / "buckets.db").write_bytes(b"no database at all, but rather long" * 100)
    with pytest.raises(JournalFailed):
        ObjectJournal(tmp_path / "buckets.db")


def test_the_etag_of_a_small_object_is_its_md5(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello")
    root, found = os.fsencode(tmp_path), look(os.fsencode(tmp_path), b"a")
    assert found is not None
    assert notes_of(root, b"a", found)[0] == "5d41402abc4b2a76b9719d911017c592"
    assert notes_of(root, b"a", found._replace(size=10**9))[0].endswith("-1")
