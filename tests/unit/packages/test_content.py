"""Packages: what is taken, what is refused, and the hash of what was taken."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_platform.registry.packages import PackageError, PackageLimits, code_hash, copy_folder, unpack_zip
from relive_platform.registry.packages.content import make_read_only, remove_tree


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def fill(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def pack(path: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in entries:
            package.writestr(name, data)
    return path


def test_a_folder_is_copied_without_what_is_not_code(tmp_path) -> None:
    source = fill(
        tmp_path / "a",
        **{"cart.py": "1", "pkg/x.py": "2", ".git/config": "no", "__pycache__/x.pyc": "no", ".venv/x": "no"},
        **{"data/big.bin": "no", "notes.md": "no", ".reliveignore": "# comment\ndata/\n*.md\n"},
        **{"home/registry.db": "no", "home/events.db": "no", "home/store/x": "no"},
    )

    copy_folder(source, tmp_path / "b")

    assert set(tree(tmp_path / "b")) == {"cart.py", "pkg/x.py", ".reliveignore"}


def test_links_within_the_application_become_copies(tmp_path) -> None:
    # Given a function that links to a shared folder and to a file beside its own
    app, source = tmp_path / "app", tmp_path / "app" / "orders"
    (app / "shared" / "deep").mkdir(parents=True)
    source.mkdir()
    (app / "shared" / "deep" / "prices.py").write_text("VAT = 19")
    (app / "common.py").write_text("NAME = 1")
    (source / "shared").symlink_to("../shared")
    (source / "common.py").symlink_to("../common.py")
    (app / "shared" / "again").symlink_to("deep")

    # When it is copied, I expect plain files and folders
    copy_folder(source, tmp_path / "out", within=app)
    assert (tmp_path / "out" / "shared" / "deep" / "prices.py").read_text() == "VAT = 19"
    assert (tmp_path / "out" / "shared" / "again" / "prices.py").read_text() == "VAT = 19"
    assert (tmp_path / "out" / "common.py").read_text() == "NAME = 1"
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    ("place", "target", "says"),
    [
        ("orders/out", "../../secret", "out of the application"),
        ("orders/out.py", "../../secret/key.py", "out of the application"),
        ("orders/root", "/", "out of the application"),
        ("orders/self", ".", "lies in"),
        ("orders/up", "..", "lies in"),
        ("shared/back", "../orders", "lies in"),
        ("shared/out", "../../secret", "out of the application"),
        ("shared/hop", "../hop", "out of the application"),
        ("orders/loop", "loop", "to nothing, or to itself"),
        ("orders/gone", "nowhere", "to nothing, or to itself"),
        ("orders/history", "../.git", "never packed"),
    ],
)
def test_links_never_lead_out_or_around(tmp_path, place: str, target: str, says: str) -> None:
    app = tmp_path / "app"
    for folder in ("orders", "shared", ".git"):
        (app / folder).mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.py").write_text("KEY = 1")
    (app / "hop").symlink_to("../secret")
    (app / "orders" / "shared").symlink_to("../shared")
    (app / place).symlink_to(target)

    with pytest.raises(PackageError, match=says):
        copy_folder(app / "orders", tmp_path / "out", within=app)


def test_compiled_code_without_its_source_is_code(tmp_path) -> None:
    source = tmp_path / "source"
    (source / "__pycache__").mkdir(parents=True)
    for name in ("both.py", "both.pyc", "alone.pyc", "__pycache__/both.cpython-311.pyc"):
        (source / name).write_text("x")
    copy_folder(source, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            archive.write(path, str(path.relative_to(source)))
    unpack_zip(tmp_path / "a.zip", tmp_path / "unpacked")

    for out in ("out", "unpacked"):
        assert sorted(path.name for path in (tmp_path / out).rglob("*")) == ["alone.pyc", "both.py"]


def test_links_inside_are_followed_and_links_outside_are_refused(tmp_path) -> None:
    source = fill(tmp_path / "a", **{"x.py": "1"})
    (source / "y.py").symlink_to("x.py")
    copy_folder(source, tmp_path / "b")
    assert tree(tmp_path / "b") == {"x.py": b"1", "y.py": b"1"}

    for name, target in (("out", "/etc/passwd"), ("loop", "."), ("gone", "nothing")):
        (source / name).symlink_to(target)
        with pytest.raises(PackageError, match=f"{name}.*link"):
            copy_folder(source, tmp_path / f"c-{name}")
        (source / name).unlink()


def test_special_files_are_refused(tmp_path) -> None:
    source = fill(tmp_path / "a", **{"x.py": "1"})
    os.mkfifo(source / "pipe")

    with pytest.raises(PackageError, match="'pipe': it is neither"):
        copy_folder(source, tmp_path / "b")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (PackageLimits(entries=2), "more than 2 entries"),
        (PackageLimits(entry_bytes=10), "'b.py': it has more than 10 bytes"),
        (PackageLimits(total_bytes=25), "'b.py': the package has more than 25 bytes"),
    ],
)
def test_the_limits_hold_for_folders_and_zips(tmp_path, limits: PackageLimits, says: str) -> None:
    files = {"a.py": "x" * 10, "b.py": "x" * 20, "c.py": ""}
    folder = fill(tmp_path / "a", **files)
    archive = pack(tmp_path / "a.zip", [(name, text.encode()) for name, text in files.items()])

    with pytest.raises(PackageError, match=says):
        copy_folder(folder, tmp_path / "b", limits)
    with pytest.raises(PackageError, match=says.replace("'b.py': ", "") if "entries" in says else says):
        unpack_zip(archive, tmp_path / "c", limits)


def test_a_zip_is_unpacked_as_the_folder_was(tmp_path) -> None:
    archive = pack(
        tmp_path / "a.zip", [("cart.py", b"1"), ("pkg/", b""), ("pkg/x.py", b"2"), (".git/c", b"no")]
    )

    unpack_zip(archive, tmp_path / "b")

    assert tree(tmp_path / "b") == {"cart.py": b"1", "pkg/x.py": b"2"}


def link(name: str, mode: int = stat.S_IFLNK | 0o777) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    "entry",
    [
        "../evil.py",
        "a/../../evil.py",
        "/etc/evil",
        "a\\..\\evil",
        "C:/evil",
        "./a",
        "a\n.py",
        "x" * 300,
        "d/" * 40 + "x",
    ],
)
def test_a_name_that_leaves_the_package_is_refused_by_name(tmp_path, entry: str) -> None:
    archive = pack(tmp_path / "a.zip", [("ok.py", b"1"), (entry, b"2")])

    with pytest.raises(PackageError, match="entry '"):
        unpack_zip(archive, tmp_path / "in" / "b")

    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "in"}


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, mode: int) -> None:
    archive = pack(tmp_path / "a.zip", [(link("l", mode | 0o777), b"/etc/passwd")])

    with pytest.raises(PackageError, match="entry 'l': it is a link or a special file"):
        unpack_zip(archive, tmp_path / "b")


def test_a_bomb_is_stopped_at_the_ratio_not_at_what_its_header_says(tmp_path) -> None:
    archive = pack(tmp_path / "a.zip", [("zeros.bin", b"\0" * 50_000_000)])

    with pytest.raises(PackageError, match=r"zeros.bin.*200 times"):
        unpack_zip(archive, tmp_path / "b")

    assert (tmp_path / "b" / "zeros.bin").stat().st_size < 12_000_000


def test_doubles_damage_and_passwords_are_refused(tmp_path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        double = pack(tmp_path / "a.zip", [("x.py", b"1"), ("x.py", b"2")])
    with pytest.raises(PackageError, match=r"'x.py': the name occurs twice"):
        unpack_zip(double, tmp_path / "b")

    data = bytearray(pack(tmp_path / "c.zip", [("x.py", bytes(range(256)) * 9)]).read_bytes())
    data[60] ^= 0xFF
    (tmp_path / "c.zip").write_bytes(data)
    with pytest.raises(PackageError, match="cannot be read"):
        unpack_zip(tmp_path / "c.zip", tmp_path / "d")

    data = bytearray(pack(tmp_path / "e.zip", [("x.py", b"1")]).read_bytes())
    data[6] |= 1  # "encrypted", in the local and the central header
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "e.zip").write_bytes(data)
    with pytest.raises(PackageError, match=r"x\.py"):
        unpack_zip(tmp_path / "e.zip", tmp_path / "f")

    (tmp_path / "g.zip").write_bytes(b"not a zip")
    with pytest.raises(PackageError, match="cannot be read"):
        unpack_zip(tmp_path / "g.zip", tmp_path / "h")


NAMES = st.text(st.sampled_from("ab./\\:\0é\n "), min_size=1, max_size=12)


@settings(max_examples=60)
@given(entries=st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=5, unique_by=lambda e: e[0]))
def test_no_zip_writes_outside_its_folder(tmp_path_factory, entries) -> None:
    root = tmp_path_factory.mktemp("zip")
    archive = pack(root / "a.zip", [(zipfile.ZipInfo(name), data) for name, data in entries])
    try:
        unpack_zip(archive, root / "in" / "b")
    except PackageError:
        pass

    assert {path.name for path in root.iterdir()} <= {"a.zip", "in"}
    assert {path.name for path in (root / "in").iterdir()} <= {"b"}


FILES = st.dictionaries(st.sampled_from(["a", "b", "ab", "c/a", "c/b"]), st.binary(max_size=3), max_size=5)


@settings(max_examples=60)
@given(first=FILES, second=FILES)
def test_two_trees_have_one_hash_exactly_when_they_are_equal(tmp_path_factory, first, second) -> None:
    hashes = []
    for files in (first, second):
        root = tmp_path_factory.mktemp("tree")
        for name, data in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
        hashes.append(code_hash(root))

    assert (hashes[0] == hashes[1]) == (first == second)


def test_the_hash_knows_execute_bits_but_not_times(tmp_path) -> None:
    root = fill(tmp_path / "a", x="1")
    before = code_hash(root)
    os.utime(root / "x", (1, 1))
    assert code_hash(root) == before
    (root / "x").chmod(0o755)
    assert code_hash(root) != before


def test_a_read_only_tree_keeps_its_hash_and_can_be_removed(tmp_path) -> None:
    root = fill(tmp_path / "a", **{"x": "1", "d/y": "2"})
    before = code_hash(root)

    make_read_only(root)

    assert code_hash(root) == before
    assert (root / "x").stat().st_mode & 0o222 == 0
    assert (root / "d").stat().st_mode & 0o222 == 0
    remove_tree(root)
    remove_tree(root)
    assert not root.exists()
