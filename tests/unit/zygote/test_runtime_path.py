"""The runtime folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from relive_runtime.folder import RuntimeFolderError, build_runtime


def test_it_holds_the_record_side_and_its_dependencies_and_nothing_else(tmp_path: Path) -> None:
    # Given a runtime folder, and an interpreter that sees nothing but it and the standard library
    runtime = build_runtime(tmp_path)
    code = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "import relive_base.wire.messages\n"
        "import relive_tracer.record, relive_capture.record, relive_profiler.record\n"
        "import relive, opentelemetry.sdk.trace, pyinstrument, werkzeug, importlib.metadata as m\n"
        "assert m.version('opentelemetry-api')\n"
        "import importlib.util as u\n"
        "print([n for n in ('relive_store', 'chdb', 'grpc', 'click', 'uvicorn') if u.find_spec(n)])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(runtime)]
    # Then what a worker needs can be imported, and the rest of the environment cannot
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_it_is_built_once(tmp_path: Path) -> None:
    first = build_runtime(tmp_path)
    inode = first.stat().st_ino
    assert build_runtime(tmp_path) == first
    assert first.stat().st_ino == inode
    assert first.parent == tmp_path / "runtime"


def test_many_that_build_at_once_get_the_same_whole_folder(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(build_runtime(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert os.listdir(tmp_path / "runtime") == [found[0].name]  # no drafts are left behind
    assert (found[0] / "relive_base" / "wire" / "messages" / "__init__.py").is_file()


def test_a_home_that_cannot_hold_it_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "runtime").write_text("a file")
    with pytest.raises(RuntimeFolderError, match="symlinks") as caught:
        build_runtime(tmp_path)
    assert caught.value.hint
