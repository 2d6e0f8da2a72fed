"""Packages that would leave their folder, fill the disk or name nonsense are refused by the entry's name."""

from __future__ import annotations

import random
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_cli import Relive, relive_home, toml

FILES = {
    "relive.toml": toml({"f": 'handler = "f:handler"'}),
    "f.py": "def handler(event, context):\n    return 1\n",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with relive_home() as home:
        home.environment = {"RELIVE_PACKAGE_BYTES": "20MB", "RELIVE_PACKAGE_ENTRIES": "100"}
        with home.serving():
            yield home


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


BAD: dict[str, tuple[list[tuple[str | zipfile.ZipInfo, bytes]], str]] = {
    "leaves upwards": ([("../evil.py", b"x")], "../evil.py"),
    "leaves from within": ([("a/../../evil.py", b"x")], "evil.py"),
    "absolute": ([("/etc/evil.py", b"x")], "/etc/evil.py"),
    "backslashes": ([("..\\evil.py", b"x")], "evil.py"),
    "symbolic link": ([(link("passwd"), b"/etc/passwd")], "passwd"),
    "bomb": ([("zeros.bin", b"\0" * 15_000_000)], "zeros.bin"),
    "too much": ([(f"{n}.bin", random.Random(n).randbytes(4_000_000)) for n in range(6)], "bytes"),
    "too many": ([(f"{n}.py", b"") for n in range(101)], "100"),
    "escape in a name": ([("\x1b[31m/../../evil.py", b"x")], "evil.py"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_package_that_is_dangerous_is_refused_by_name(lab: Relive, case: str) -> None:
    # When somebody deploys it
    entries, named = BAD[case]
    path = lab.home.parent / "package.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in FILES.items():
            package.writestr(name, text)
        for entry, data in entries:
            package.writestr(entry, data)
    done = lab.run("deploy", str(path), check=False)

    # I expect a refusal that names the entry, and nothing deployed or written outside
    assert done.returncode in (2, 4), done
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert lab.json("functions") == []
    assert not list(lab.home.parent.rglob("evil.py"))
    assert not Path("/etc/evil.py").exists()


def test_a_folder_with_a_link_out_of_it_does_not_take_what_it_points_to(lab: Relive) -> None:
    folder = lab.application(FILES)
    (folder / "secret").symlink_to("/etc/passwd")

    done = lab.run("deploy", str(folder), check=False)

    assert done.returncode in (2, 4)
    assert "secret" in done.stderr


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04" + b"\xff" * 40])
def test_a_file_that_is_no_package_is_refused(lab: Relive, data: bytes) -> None:
    path = lab.home.parent / "package.zip"
    path.write_bytes(data)

    done = lab.run("deploy", str(path), check=False)

    assert done.returncode == 2
    assert "package.zip" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_good_zip_is_served(lab: Relive) -> None:
    path = lab.home.parent / "good.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in FILES.items():
            package.writestr(name, text)

    lab.run("deploy", str(path))

    assert lab.invoke("f")["result"] == 1
