"""Files that a function reads are noted, and read once it has failed; a replay gives them back."""

from __future__ import annotations

import errno
import io
import os
import pathlib
import subprocess
import sys
import tempfile
from ast import literal_eval
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from relive_base.redaction.redactor import Redactor
from relive_capture.explore.scene.read_files import clean_files, clean_variables
from relive_capture.record.playback.files import Overlay, play_files
from relive_capture.record.playback.undo import Undo
from relive_capture.record.recording import RecordingLimits
from relive_capture.record.recording.files import FileNotes, noting
from relive_capture.recording_format import RecordedFile, ReplayNotes

ROOM = 1_000_000
LIMITS = RecordingLimits(files=5, file_bytes=100, folder_names=10)


def by_path(notes: FileNotes) -> dict[str, RecordedFile]:
    return {os.path.basename(file.path): file for file in notes.recorded(ROOM)}


class TestNotes:
    def test_what_is_read_is_kept_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("one")
        notes = FileNotes(LIMITS)

        notes.reads(str(tmp_path / "a"))
        notes.reads(str(tmp_path / "none"))

        found = by_path(notes)
        assert (found["a"].kind, found["a"].content, found["a"].size) == ("file", b"one", 3)
        assert found["none"].kind == "absent"

    def test_what_a_guard_refuses_is_denied_though_its_mode_allows_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a file that the system does not open, as Landlock has it, and one that is another one by now
        def refused(path: str, flags: int) -> int:
            if path.endswith("kept from it"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return os.open(path, flags)

        def unlisted(path: str) -> NoReturn:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

        monkeypatch.setattr(noting, "_open", refused)
        monkeypatch.setattr(noting, "_scan", unlisted)
        notes = FileNotes(LIMITS)
        for name in ("kept from it", "changed"):
            (tmp_path / name).write_text("one")
            notes.reads(str(tmp_path / name))
        (tmp_path / "changed").write_text("longer")
        (tmp_path / "folder kept from it").mkdir()
        notes.reads(str(tmp_path / "folder kept from it"))
        # When the function has failed, I expect each to be what it was
        assert {name: file.why for name, file in by_path(notes).items()} == {
            "kept from it": "denied",
            "folder kept from it": "denied",
            "changed": "changed",
        }

    def test_what_the_system_refused_to_change_is_as_it_was(self, tmp_path: Path) -> None:
        # Given a file and a place that may not be changed, and one that could be at the second time
        (tmp_path / "kept").write_text("one")
        (tmp_path / "late").write_text("two")
        notes = FileNotes(LIMITS)
        for name, code in (("kept", errno.EROFS), ("none", errno.EACCES), ("late", errno.EACCES)):
            path = str(tmp_path / name)
            assert notes.changes(path)
            notes.refused(path, code)
        assert notes.changes(str(tmp_path / "late"))
        assert not notes.changes(str(tmp_path / "late"))

        # When it reads what it could not change
        notes.reads(str(tmp_path / "kept"))

        # I expect its content, and each refusal
        found = by_path(notes)
        assert (found["kept"].content, found["kept"].refused) == (b"one", errno.EROFS)
        assert (found["none"].kind, found["none"].refused) == ("absent", errno.EACCES)
        assert found["late"].refused == 0

    def test_what_comes_or_goes_while_it_is_waited_for(self, tmp_path: Path) -> None:
        # Given a file that comes at the third look, one that is opened until it is there, and one that goes
        ready, polled, lock = (tmp_path / name for name in ("ready", "polled", "lock"))
        lock.touch()
        notes = FileNotes(LIMITS)

        def look(path: Path) -> None:
            notes.looked(str(path), path.stat() if path.exists() else None)

        for _ in range(2):
            look(ready)
            look(lock)
            notes.reads(str(polled))
        ready.write_text("go")
        polled.write_text("now")
        lock.unlink()
        for _ in range(2):
            look(ready)
            look(lock)
            notes.reads(str(polled))
        notes.reads(str(ready))

        # I expect how often each was looked at before, and what there was then
        found = by_path(notes)
        assert (found["ready"].kind, found["ready"].content, found["ready"].came_after) == ("file", b"go", 2)
        assert (found["polled"].content, found["polled"].came_after) == (b"now", 2)
        assert (found["lock"].kind, found["lock"].went_after) == ("file", 2)

    def test_what_the_function_overwrites_or_removes_is_kept_before(self, tmp_path: Path) -> None:
        # Given a counter that is read, written, and then removed
        path = tmp_path / "counter"
        path.write_text("7")
        notes = FileNotes(LIMITS)
        notes.reads(str(path))

        # When it is changed, and read again
        notes.changes(str(path))
        path.write_text("8")
        notes.reads(str(path))
        notes.changes(str(path))
        path.unlink()

        # I expect what was there at first
        assert by_path(notes)["counter"].content == b"7"

    def test_what_it_has_made_itself_is_not_recorded(self, tmp_path: Path) -> None:
        notes = FileNotes(LIMITS)

        notes.changes(str(tmp_path / "out"))
        (tmp_path / "out").write_text("mine")
        notes.reads(str(tmp_path / "out"))

        assert by_path(notes) == {}

    def test_what_others_have_changed_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("one")
        notes = FileNotes(LIMITS)
        notes.reads(str(tmp_path / "a"))

        (tmp_path / "a").write_text("three")

        assert (by_path(notes)["a"].content, by_path(notes)["a"].why) == (b"", "changed")

    def test_limits(self, tmp_path: Path) -> None:
        notes = FileNotes(LIMITS)
        for number in range(7):
            (tmp_path / str(number)).write_bytes(b"x" * (200 if number == 0 else 10))
            notes.reads(str(tmp_path / str(number)))

        found = {file.path[-1]: file for file in notes.recorded(25)}

        assert notes.left_out == 2
        assert [found[name].why for name in "01234"] == ["large", "", "", "large", "large"]

    def test_a_folder_as_it_was_before_the_function_changed_it(self, tmp_path: Path) -> None:
        # Given a folder in which the function has made, moved and removed something
        for name in ("a", "b"):
            (tmp_path / name).write_text(name)
        (tmp_path / "sub").mkdir()
        notes = FileNotes(LIMITS)
        for name in ("a", "new"):
            notes.changes(str(tmp_path / name), reads=name == "a")
        (tmp_path / "a").rename(tmp_path / "new")

        # When it is listed only then
        notes.reads(str(tmp_path))

        # I expect the names of before
        folder = by_path(notes)[tmp_path.name]
        assert sorted(folder.names) == ["a", "b", "sub"]
        assert folder.folders == ["sub"]


class TestWritten:
    def test_no_secret_is_written(self) -> None:
        files = [
            RecordedFile(path="/etc/app.ini", kind="file", content=b"password = hunter2secret\nrate = 3\n"),
            RecordedFile(path="/run/secrets/token", kind="file", content=b"plain words"),
            RecordedFile(path="/data/rows.csv", kind="file", content=b"a,b\n1,2\n"),
        ]
        places: list[str] = []

        clean_files(files, Redactor(), places)

        assert b"hunter2" not in files[0].content
        assert b"rate = 3" in files[0].content
        assert (files[1].content, files[1].why) == (b"", "secret")
        assert files[2].content == b"a,b\n1,2\n"
        assert len(places) == 2

    def test_secret_variables_are_named(self) -> None:
        notes = ReplayNotes(variables={"SHOP": "a", "API_TOKEN": "tok_1", "NONE": None})
        places: list[str] = []

        clean_variables(notes, Redactor(), places)

        assert notes.variables == {"SHOP": "a", "NONE": None}
        assert notes.hidden == ["API_TOKEN"]


@pytest.fixture
def undo() -> Iterator[Undo]:
    undo = Undo()
    yield undo
    undo.undo()


class TestPlayed:
    def overlay(self, tmp_path: Path, files: list[RecordedFile]) -> Overlay:
        root = tmp_path / "root"
        overlay = Overlay(str(root), ("/proc/", "/dev/", f"{sys.prefix}/"), {})
        overlay.add(files)
        return overlay

    def test_files_that_are_gone_are_there(self, tmp_path: Path, undo: Undo) -> None:
        data = tmp_path / "data"
        files = [
            RecordedFile(path=str(data), kind="folder", listed=True, names=["z.txt", "a.txt"]),
            RecordedFile(
                path=f"{data}/a.txt", kind="file", content=b"one\r\n", size=5, mtime_ns=10**18, mode=0o600
            ),
        ]
        overlay = self.overlay(tmp_path, files)

        play_files(overlay, undo)

        with open(data / "a.txt") as file:
            assert (file.read(), file.name) == ("one\n", f"{data}/a.txt")
            assert type(file) is io.TextIOWrapper
            assert os.fstat(file.fileno()).st_size == 5
        assert pathlib.Path(data, "a.txt").read_bytes() == b"one\r\n"
        assert os.stat(data / "a.txt").st_mtime_ns == 10**18
        assert os.listdir(data) == ["z.txt", "a.txt"]
        assert [entry.path for entry in os.scandir(data)] == [f"{data}/z.txt", f"{data}/a.txt"]
        assert sorted(path.name for path in Path(data).rglob("*")) == ["a.txt", "z.txt"]
        assert not os.path.exists(data / "other")
        assert overlay.seen[f"{data}/a.txt"] == "gone"
        undo.undo()
        assert not data.exists()

    def test_what_was_not_there_is_not(self, tmp_path: Path, undo: Undo) -> None:
        path = tmp_path / "since.json"
        path.write_text("{}")
        overlay = self.overlay(tmp_path, [RecordedFile(path=str(path), kind="absent")])

        play_files(overlay, undo)

        with pytest.raises(FileNotFoundError) as caught:
            open(path)  # noqa: SIM115
        assert str(caught.value) == f"[Errno 2] No such file or directory: '{path}'"
        assert overlay.seen[str(path)] == "appeared"

    def test_what_was_denied_is_denied_again(self, tmp_path: Path, undo: Undo) -> None:
        # Given a file and a folder that the function was refused, which are gone today
        files = [
            RecordedFile(path=f"{tmp_path}/secret", kind="file", size=3, why="denied"),
            RecordedFile(path=f"{tmp_path}/folder", kind="folder", why="denied"),
        ]
        # When they are played, I expect the same refusals
        play_files(self.overlay(tmp_path, files), undo)
        asked: list[tuple[Any, str]] = [(open, "secret"), (os.listdir, "folder"), (os.scandir, "folder")]
        for ask, name in asked:
            with pytest.raises(PermissionError) as refused:
                ask(tmp_path / name)
            assert refused.value.filename == str(tmp_path / name)
        assert os.path.isdir(tmp_path / "folder")

    def test_what_could_not_be_changed_cannot_be_again(self, tmp_path: Path, undo: Undo) -> None:
        # Given recorded refusals in a folder that is gone today, and one that no system gives
        files = [
            RecordedFile(path="/gone/kept", kind="file", content=b"one", size=3, refused=errno.EROFS),
            RecordedFile(path="/gone/none", kind="absent", refused=errno.EACCES),
            RecordedFile(path=f"{tmp_path}/odd", kind="file", content=b"two", size=3, refused=10**30 % 2**31),
        ]
        play_files(self.overlay(tmp_path, files), undo)
        tries: list[tuple[str, int, Callable[[], object]]] = [
            ("/gone/kept", errno.EROFS, lambda: os.remove("/gone/kept")),
            ("/gone/kept", errno.EROFS, lambda: open("/gone/kept", "a")),  # noqa: SIM115
            ("/gone/none", errno.EACCES, lambda: os.mkdir("/gone/none")),
            ("/gone/none", errno.EACCES, lambda: os.open("/gone/none", os.O_WRONLY | os.O_CREAT)),
            ("/gone/kept", errno.EROFS, lambda: os.rename("/gone/kept", tmp_path / "moved")),
        ]
        # When each is tried again, I expect the same refusal
        for path, code, change in tries:
            with pytest.raises(OSError) as refused:
                change()
            assert (refused.value.errno, refused.value.filename) == (code, path)
        assert refused.value.filename2 == tmp_path / "moved"
        # ... and what can be read to be read, what can be changed to be changed
        assert Path("/gone/kept").read_text() == "one"
        os.remove(tmp_path / "odd")

    def test_what_came_or_went_does_so_again(self, tmp_path: Path, undo: Undo) -> None:
        # Given recordings of files for which the code had waited, and that are otherwise today
        files = [
            RecordedFile(path="/gone/ready", kind="file", content=b"go", size=2, came_after=2),
            RecordedFile(path="/gone/polled", kind="file", content=b"now", size=3, came_after=1),
            RecordedFile(path=f"{tmp_path}/lock", kind="file", size=0, went_after=2, why="looked"),
            RecordedFile(path="/gone/mine", kind="file", content=b"x", size=1, went_after=1),
        ]
        (tmp_path / "lock").touch()
        play_files(self.overlay(tmp_path, files), undo)

        # When it waits again, I expect as many rounds
        assert [os.path.exists("/gone/ready") for _ in range(4)] == [False, False, True, True]
        assert Path("/gone/ready").read_text() == "go"
        with pytest.raises(FileNotFoundError):
            open("/gone/polled")  # noqa: SIM115
        assert Path("/gone/polled").read_text() == "now"
        assert [(tmp_path / "lock").exists() for _ in range(4)] == [True, True, False, False]

        # ... and what the function writes to stay
        with open("/gone/mine", "a") as mine:
            mine.write("y")
        assert [os.path.exists("/gone/mine") for _ in range(3)] == [True] * 3
        assert Path("/gone/mine").read_text() == "xy"

    def test_two_slashes_at_the_beginning_are_one(self, tmp_path: Path, undo: Undo) -> None:
        # Given a recording of a file, and one that there was not
        path = tmp_path / "data.txt"
        files = [
            RecordedFile(path=str(path), kind="file", content=b"one", size=3),
            RecordedFile(path=f"{tmp_path}/no.txt", kind="absent"),
            RecordedFile(path=f"/{path}", kind="file", content=b"two", size=3),
        ]
        (tmp_path / "no.txt").write_text("today")
        (tmp_path / "other.txt").write_text("today")
        # When they are named with two slashes, which Python keeps
        play_files(self.overlay(tmp_path, files), undo)
        # I expect them to be what they are with one
        assert Path(f"/{path}").read_text() == "one"
        assert not os.path.exists(f"/{tmp_path}/no.txt")
        assert Path(f"/{tmp_path}/other.txt").read_text() == "today"
        assert os.stat("//").st_ino == os.stat("/").st_ino

    def test_nothing_real_is_written_moved_or_removed(self, tmp_path: Path, undo: Undo) -> None:
        # Given files of today
        for name in ("kept", "moved", "gone"):
            (tmp_path / name).write_text(name)
        play_files(self.overlay(tmp_path, []), undo)

        # When the function changes all of them
        with open(tmp_path / "kept", "a") as file:
            file.write("+")
        (tmp_path / "new").write_text("new")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "x").write_text("x")
        os.rename(tmp_path / "moved", tmp_path / "folder" / "y")
        os.remove(tmp_path / "gone")
        with tempfile.NamedTemporaryFile("w", dir=tmp_path) as temporary:
            temporary.write("t")
            temporary.flush()
            assert Path(temporary.name).read_text() == "t"

        # I expect that it sees that, and nobody else does
        assert (tmp_path / "kept").read_text() == "kept+"
        assert (tmp_path / "folder" / "y").read_text() == "moved"
        assert sorted(os.listdir(tmp_path / "folder")) == ["x", "y"]
        assert not (tmp_path / "gone").exists()
        undo.undo()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["gone", "kept", "moved", "root"]
        assert (tmp_path / "kept").read_text() == "kept"

    def test_what_is_not_in_the_scene_is_read_as_it_is_and_named(self, tmp_path: Path, undo: Undo) -> None:
        (tmp_path / "large").write_text("today")
        (tmp_path / "other").write_text("other")
        overlay = self.overlay(
            tmp_path, [RecordedFile(path=str(tmp_path / "large"), kind="file", size=10**9, why="large")]
        )

        play_files(overlay, undo)

        assert (tmp_path / "large").read_text() == "today"
        assert (tmp_path / "other").read_text() == "other"
        assert overlay.seen == {str(tmp_path / "large"): "unlike", str(tmp_path / "other"): "today"}

    def test_a_hostile_scene_stays_below_its_root(self, tmp_path: Path) -> None:
        files = [
            RecordedFile(path=path, kind="file", content=b"x")
            for path in ("/../../evil", "relative", "/a/../../evil", "/", "/nul\0")
        ]
        files.append(RecordedFile(path="/d", kind="folder", listed=True, names=["../evil", "", "..", "ok"]))

        overlay = self.overlay(tmp_path, files)

        assert os.listdir(overlay.root) == ["d"]
        assert os.listdir(f"{overlay.root}/d") == ["ok"]
        assert [path.name for path in tmp_path.iterdir()] == ["root"]


RECORDED = """
import io, os, pathlib, pickle, sys, inspect
before = open
from relive_capture.record.recording.recorder import Recorder
from relive_capture.record.recording.files import outside_of_code
from relive_capture.recording_format import ReplayNotes
recorder = Recorder(skipped=outside_of_code(sys.argv[1]))
recorder.install()
recorder.loaded()
recorder.begin(0)
data = sys.argv[2]
class Holder:
    opener = open
    stat = os.stat
with Holder().opener(data + "/a") as file:
    assert file.read() == "one", "the built-in binds to nothing"
assert Holder().stat(data + "/a").st_size == os.stat(f"/{data}/a").st_size == 3
assert pickle.loads(pickle.dumps(open)) is open is io.open
assert open.__name__ == "open" and repr(open) == repr(before)
assert list(inspect.signature(open).parameters) == list(inspect.signature(before).parameters)
assert os.stat in os.supports_fd and os.open in os.supports_dir_fd
assert pathlib.Path(data, "b").read_bytes() == b"two"
os.environ.get("SHOP"), os.environ.get("NOPE"), os.getrandom(4)
import subprocess
subprocess.run(["true"])
try:
    open(data + "/missing")
except FileNotFoundError as error:
    assert error.filename == data + "/missing"
notes = recorder.recording(ReplayNotes()).notes
print(sorted((os.path.basename(file.path), file.kind, file.content) for file in notes.files))
notes.variables.pop("PATH", None)  # the search for the program
print(notes.variables, notes.programs, [len(data) for data in notes.seeds.urandom])
"""


def test_a_recorder_notes_and_stays_out_of_sight(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("two")

    done = subprocess.run(
        [sys.executable, "-c", RECORDED, str(tmp_path / "code"), str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "SHOP": "here"}, check=False,
    )  # fmt: skip

    assert done.stderr == ""
    files, rest = done.stdout.splitlines()
    assert files == "[('a', 'file', b'one'), ('b', 'file', b'two'), ('missing', 'absent', b'')]"
    assert rest == "{'SHOP': 'here', 'NOPE': None} ['true'] [4]"


WATCHED = """
import os, sys
from relive_capture.record.recording.files import FileNotes, watch_files
from relive_capture.record.recording import RecordingLimits

class Held:
    def __init__(self): self.files = FileNotes(RecordingLimits())
    def noted(self): return self.files
    @property
    def kept_calls(self): return self

held = Held()
"""
IMPORTS = """
watch_files(held, ("/proc/", sys.prefix + "/", sys.base_prefix + "/"))
sys.path.append(sys.argv[1])
import prices
open(os.path.join(sys.argv[1], "rates.csv")).read()
print([os.path.basename(file.path) for file in held.files.recorded(1_000) if file.kind == "file"])
"""


def test_modules_of_a_folder_that_the_code_puts_on_its_path_are_code(tmp_path: Path) -> None:
    # Given a folder outside of the code, with a module and a file of data
    (tmp_path / "prices.py").write_text("token = 'abcdefgh12345678'\n")
    (tmp_path / "rates.csv").write_text("1.1")

    # When the code puts it on sys.path, imports the module and reads the data
    command = [sys.executable, "-B", "-c", WATCHED + IMPORTS, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    # I expect the data alone among what it has read
    assert ran.stdout == "['rates.csv']\n"


REFUSED = """
watch_files(held, ("/proc/",))
folder = sys.argv[1]
path = os.path.join(folder, "kept.txt")
if os.geteuid() == 0:
    os.seteuid(65534)
for change in (
    lambda: os.remove(path), lambda: open(path, "w"), lambda: os.open(path, os.O_RDWR),
    lambda: os.mkdir(os.path.join(folder, "made")), lambda: os.rename(path, os.path.join(folder, "moved")),
    lambda: open(os.path.join(folder, "none", "x"), "x"),
):
    try:
        change()
    except OSError as error:
        print(type(error).__name__, end=" ")
if os.getuid() == 0:
    os.seteuid(0)
print(sorted((os.path.basename(file.path), file.refused) for file in held.files.recorded(1_000)))
"""


def test_what_is_refused_is_noted(tmp_path: Path) -> None:
    # Given a file in a folder that may not be changed
    (tmp_path / "kept.txt").write_text("one")
    (tmp_path / "kept.txt").chmod(0o444)
    tmp_path.chmod(0o555)

    # When it is tried in all ways
    command = [sys.executable, "-B", "-c", WATCHED + REFUSED, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    tmp_path.chmod(0o755)

    # I expect each to be known
    code = errno.EACCES
    *raised, found = ran.stdout.split(" ", 6)
    assert set(raised) <= {"PermissionError", "FileNotFoundError"}
    assert set(raised[:5]) == {"PermissionError"}
    known = dict(literal_eval(found))
    assert {name: known[name] for name in ("kept.txt", "made", "moved")} == dict.fromkeys(
        ("kept.txt", "made", "moved"), code
    )
