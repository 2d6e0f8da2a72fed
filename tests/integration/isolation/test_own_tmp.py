"""Each worker's own /tmp."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from relive_runtime.isolation.spaces import probe_spaces
from worker_harness import WorkerHandle, ZygoteHandle

needs_mounts = pytest.mark.skipif(bool(probe_spaces()), reason="no mount namespace can be had here")

CODE = """
import os, subprocess, tempfile
def handler(event, context):
    try:
        return repr(eval(event, globals()))
    except OSError as error:
        return error.errno
def write(path, size):
    with open(path, "wb") as file:
        file.write(b"x" * size)
    return os.path.getsize(path)
"""


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(CODE, timeout_s=60, tmp_mb=8)


@needs_mounts
def test_a_path_that_is_written_out_works_and_nobody_else_sees_the_file(
    running: ZygoteHandle, worker: WorkerHandle
) -> None:
    other = running.worker(CODE, timeout_s=60)
    path = "/tmp/relive-test-own-tmp.txt"

    assert worker.invoke(f"write({path!r}, 5)").value == "5"

    assert worker.invoke(f"open({path!r}).read()").value == "'xxxxx'"
    assert worker.invoke(f"subprocess.check_output(['cat', {path!r}])").value == "b'xxxxx'"
    assert not os.path.exists(path)
    assert other.invoke(f"os.path.exists({path!r})").value == "False"


@needs_mounts
def test_it_is_empty_but_for_what_of_relive_lies_below_it(worker: WorkerHandle, tmp_path: Path) -> None:
    ours = tmp_path.parts[2] if tmp_path.parts[1] == "tmp" else ""
    fresh = [name for name in eval(worker.invoke("os.listdir('/tmp')").value) if "relive-test" not in name]

    assert fresh == ([ours] if ours else [])
    assert worker.invoke("oct(os.stat('/tmp').st_mode)").value == "'0o41777'"


@needs_mounts
def test_tempfile_and_tmpdir_agree_with_it(worker: WorkerHandle) -> None:
    assert worker.invoke("tempfile.gettempdir(), os.environ['TMPDIR']").value == "('/tmp', '/tmp')"
    assert worker.invoke("os.environ['HOME']").value == repr(worker.spec.scratch)
    assert worker.invoke("write(os.environ['HOME'] + '/note', 3)").value == "3"


@needs_mounts
def test_its_room_is_limited(worker: WorkerHandle) -> None:
    assert worker.invoke("write('/tmp/relive-test-big', 20 << 20)").value == errno.ENOSPC
    assert worker.invoke("os.unlink('/tmp/relive-test-big')").value == "None"
    assert worker.invoke("write('/tmp/relive-test-small', 4 << 20)").value == str(4 << 20)


@needs_mounts
def test_what_lies_below_it_of_the_functions_own_cannot_be_written(worker: WorkerHandle) -> None:
    path = f"{worker.spec.source}/main.py"
    for way in (f"write({path!r}, 1)", f"os.chmod({path!r}, 0o777)", f"os.unlink({path!r})"):
        assert worker.invoke(way).value in (errno.EROFS, errno.EACCES), way


@needs_mounts
def test_the_mount_is_gone_with_the_worker_and_the_machines_own_stays(running: ZygoteHandle) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    worker = running.worker(CODE, timeout_s=60)
    worker.invoke("write('/tmp/relive-test-gone', 9)")
    worker.stop()
    running.wait_exit(worker)

    assert Path("/proc/self/mountinfo").read_text() == before
    assert not os.path.exists("/tmp/relive-test-gone")


def test_where_there_is_none_the_failure_says_where_files_may_go(running: ZygoteHandle) -> None:
    code = "def handler(event, context):\n    open('/tmp/relive-test-x', 'w')\n"
    worker = running.worker(code, tmp_mb=0)
    assert worker.ready is not None
    if worker.ready.isolation_tier < 1:
        pytest.skip("nothing keeps a function from /tmp here")
    assert worker.ready.isolation_detail == ["/tmp: none is wanted (RELIVE_TMP_MB is 0)"]

    error = worker.invoke({}).result.error

    assert error is not None
    assert error.type == "PermissionError"
    assert f"use tempfile, or the folder in TMPDIR ({worker.spec.scratch})" in error.traceback
