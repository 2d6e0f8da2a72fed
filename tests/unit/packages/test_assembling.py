"""A version is made of source, shared code and layers, and of nothing from outside the application."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from relive_platform.registry.packages.assembling import Parts, assemble
from relive_platform.registry.packages.content import PackageError, PackageLimits
from relive_runtime.worker.start.layers import add_layers, layer_folders, layer_variables

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_shared_code_lies_beside_the_functions_own(tmp_path: Path) -> None:
    root = write(tmp_path / "app", fn__a__app_py="1", lib__util_py="2", common_py="3")
    parts = Parts(root=root, source=root / "fn/a", include=("../../lib", "../../common.py"))
    assemble(parts, tmp_path / "version")
    found = {str(path.relative_to(tmp_path / "version")) for path in (tmp_path / "version").rglob("*.py")}
    assert found == {"app.py", "lib/util.py", "common.py"}


def test_layers_are_merged_and_later_ones_win(tmp_path: Path) -> None:
    # Given a built layer, a zip and a folder that SAM would build
    root = write(
        tmp_path / "app", fn__app_py="", one__python__a_py="1", one__python__b_py="1", one__bin__tool="x"
    )
    with zipfile.ZipFile(root / "two.zip", "w") as archive:
        archive.writestr("python/b.py", "2")
        archive.writestr(f"python/{SITE}/c.py", "2")
    write(root, three__d_py="3", three__requirements_py="")
    parts = Parts(root=root, source=root / "fn", layers=("one", "two.zip", "three"))
    assemble(parts, tmp_path / "version")
    top = tmp_path / "version" / ".layers"
    texts = {path.name: path.read_text() for path in (top / "python").rglob("*.py")}
    assert texts == {"a.py": "1", "b.py": "2", "c.py": "2", "d.py": "3", "requirements.py": ""}
    # I expect them on the path in Lambda's order, behind the dependencies and before the standard library
    source = str(tmp_path / "version")
    assert layer_folders(source) == [f"{top}/python/{SITE}", f"{top}/python"]
    before = list(sys.path)
    try:
        sys.path[:] = [source, "/deps", *before[1:]]
        add_layers(source)
        assert sys.path[:4] == [source, "/deps", f"{top}/python/{SITE}", f"{top}/python"] or (
            sys.path.index(f"{top}/python")
            < next(i for i, path in enumerate(sys.path) if path.endswith(".zip"))
        )
    finally:
        sys.path[:] = before
    assert layer_variables(source, "/bin")["PATH"] == f"{top}/bin:/bin"
    assert layer_variables(str(root), "/bin") == {}


def test_code_from_the_file_itself(tmp_path: Path) -> None:
    root = write(tmp_path / "app", other_py="")
    assemble(Parts(root=root, source=root, module="pkg.index", code="x = 1\n"), tmp_path / "version")
    assert [path.name for path in (tmp_path / "version").rglob("*.py")] == ["index.py"]
    assert (tmp_path / "version/pkg/index.py").read_text() == "x = 1\n"


@pytest.mark.parametrize("key", ["include", "layers"])
def test_what_leads_out_of_the_application_is_refused(tmp_path: Path, key: str) -> None:
    # Given secrets outside, and ways to them: a path, a link, a link inside of a folder
    secret = write(tmp_path / "secret", key_py="SECRET")
    root = write(tmp_path / "app", fn__app_py="", lib__python__x_py="")
    (root / "link").symlink_to(secret)
    (root / "lib" / "python" / "inner").symlink_to(secret)
    for number, text in enumerate(("../secret", "../../secret", "link", "../link", "lib", "../lib")):
        target = tmp_path / f"version{number}"
        source = root / "fn"
        if not ((source if key == "include" else root) / text).exists():
            continue
        parts = Parts(root=root, source=source, **{key: (text,)})  # type: ignore[arg-type]
        with pytest.raises(PackageError):
            assemble(parts, target)
        assert "SECRET" not in "".join(path.read_text() for path in target.rglob("*.py"))


def test_names_that_are_taken_and_limits(tmp_path: Path) -> None:
    root = write(
        tmp_path / "app",
        fn__lib_py="",
        fn__app_py="",
        lib_py="",
        one__python__a_py="",
        two__python__a_py__x="",
    )
    with pytest.raises(PackageError, match=r"has a 'lib.py' of its own"):
        assemble(Parts(root=root, source=root / "fn", include=("../lib.py",)), tmp_path / "v1")
    with pytest.raises(PackageError, match="in an earlier layer"):
        assemble(Parts(root=root, source=root / "fn", layers=("one", "two")), tmp_path / "v2")
    # One budget for all of it
    few = PackageLimits(entries=3)
    with pytest.raises(PackageError, match="more than 3 entries"):
        assemble(Parts(root=root, source=root / "fn", layers=("one",)), tmp_path / "v3", few)
