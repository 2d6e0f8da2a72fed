"""The zygote: what it imports, how it forks, and that it leaves with its server."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from relive_base.wire.messages import Forked, Stop
from relive_platform.engine.workers.extensions import EXTENSIONS
from worker_harness import zygote


@pytest.fixture
def deps(tmp_path: Path) -> Path:
    """A dependency folder with a good, a bad and a threaded module, and its own msgspec-free extras."""
    folder = tmp_path / "deps"
    folder.mkdir()
    (folder / "good.py").write_text("VALUE = 'preloaded'\n")
    (folder / "bad.py").write_text("raise RuntimeError('broken build')\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    markupsafe = folder / "markupsafe"
    markupsafe.mkdir()
    original = Path(__import__("markupsafe").__file__ or "").read_text()
    (markupsafe / "__init__.py").write_text(original + "\nOWN = True\n")
    native = Path(__import__("markupsafe").__file__ or "").parent / "_native.py"
    (markupsafe / "_native.py").write_text(native.read_text())
    (folder / "extra.pth").write_text("more\n")
    (folder / "more").mkdir()
    (folder / "more" / "by_pth.py").write_text("HERE = 1\n")
    return folder


def test_preloads_that_fail_are_told_and_not_fatal(tmp_path: Path, deps: Path) -> None:
    # Given dependencies of which some cannot be imported
    names = ["good", "bad", "leaves", "threaded", "absent"]
    with zygote(tmp_path / "home", deps_dir=str(deps), preload=names) as running:
        # Then the zygote says which and why
        failed = running.ready.failed_imports
        assert set(failed) == {"bad", "leaves", "threaded", "absent"}
        assert "broken build" in failed["bad"]
        assert "thread" in failed["threaded"]
        # And the others are there before the user's code is
        worker = running.worker(
            "import sys\nhere = 'good' in sys.modules\nimport by_pth\n"
            "def handler(e, c):\n    return [here, by_pth.HERE, sys.path]"
        )
        here, by_pth, path = worker.invoke({}).value
        assert (here, by_pth) == (True, 1)
        assert path.index(str(deps)) == 1
        standard = path.index(os.path.dirname(os.__file__))
        assert path.index(str(deps)) < standard < path.index(str(running.runtime))


def test_the_functions_own_version_of_a_package_wins(tmp_path: Path, deps: Path) -> None:
    # Given a dependency that Relive's runtime has, too
    with zygote(tmp_path / "home", deps_dir=str(deps)) as running:
        worker = running.worker("import markupsafe as m\ndef handler(e, c):\n    return [m.OWN, m.__file__]")
        own, file = worker.invoke({}).value
    assert own is True
    assert file.startswith(str(deps))


def test_a_package_that_does_not_fit_relive_gives_way(tmp_path: Path, deps: Path) -> None:
    # Given a function with a version of msgspec that Relive cannot work with
    (deps / "msgspec.py").write_text("class Struct: ...\n")
    with zygote(tmp_path / "home", deps_dir=str(deps), preload=["good"]) as running:
        # Then its invocations run all the same, and the zygote says why
        assert "does not fit" in running.ready.failed_imports["relive"]
        worker = running.worker("import good\ndef handler(e, c):\n    return good.VALUE")
        assert worker.invoke({}).value == "preloaded"


def test_extensions_of_another_source_are_not_imported(tmp_path: Path) -> None:
    # Given a zygote whose C extensions are older than their sources
    with zygote(tmp_path / "home", without=EXTENSIONS) as running:
        worker = running.worker(
            "import sys\ndef handler(e, c):\n    cart = {'a': 1}\n    return cart[e['key']]"
        )
        # When invocations go well and fail
        assert worker.invoke({"key": "a"}).value == 1
        failed = worker.invoke({"key": "b"})
    # Then they are recorded as ever, by Python
    assert failed.result.error is not None
    assert failed.result.error.type == "KeyError"
    assert failed.scene is not None


def test_the_servers_packages_are_not_importable(tmp_path: Path) -> None:
    with zygote(tmp_path / "home") as running:
        worker = running.worker(
            "import importlib.util\n"
            "def handler(e, c):\n    return [n for n in e if importlib.util.find_spec(n) is not None]"
        )
        names = ["chdb", "click", "grpc", "relive_store", "textual", "uvicorn", "relive", "relive_base"]
        assert worker.invoke(names).value == ["relive", "relive_base"]


def test_workers_go_on_after_stop_and_are_killed_with_the_server(tmp_path: Path) -> None:
    # Given two zygotes with a worker each
    code = "def handler(e, c):\n    return 1"
    with zygote(tmp_path / "one") as stopped, zygote(tmp_path / "two") as orphaned:
        survivor, victim = stopped.worker(code), orphaned.worker(code)
        # When one is told to stop and the other one's server goes away
        stopped.wire.send(Stop())
        orphaned.wire.socket.close()
        assert stopped.process.wait(120) == 0
        assert orphaned.process.wait(120) == 0
        # Then the first one's worker still works, the other one's is gone
        assert survivor.invoke({}).value == 1
        assert victim.ended()
        survivor.stop()
        assert survivor.ended()


def test_a_busy_worker_dies_with_the_server(tmp_path: Path) -> None:
    with zygote(tmp_path / "home") as running:
        code = "def handler(e, c):\n    print('busy')\n    while True:\n        pass"
        worker = running.worker(code, timeout_s=60)
        worker.wire.send(worker.invoke_frame({}))
        worker.wire.next()
        running.wire.socket.close()
        assert worker.ended()


def test_a_fork_without_descriptors_is_answered_with_an_error(tmp_path: Path) -> None:
    from relive_base.wire.messages import Fork

    with zygote(tmp_path / "home") as running:
        running.wire.send(Fork(worker_id=9, spec=running.spec(tmp_path)))
        forked, _ = running.wire.until(Forked)
        assert (forked.worker_id, forked.pid) == (9, 0)
        assert "descriptors" in forked.error
        assert running.worker("def handler(e, c):\n    return 1").invoke({}).value == 1


def test_many_workers_are_forked_and_reaped(tmp_path: Path) -> None:
    with zygote(tmp_path / "home") as running:
        workers = [running.worker("def handler(e, c):\n    return 1") for _ in range(12)]
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        for worker in workers:
            assert os.WTERMSIG(running.wait_exit(worker).status) == signal.SIGKILL
        assert len(running.exited) == 12


def test_ctrl_c_is_left_to_the_server(tmp_path: Path) -> None:
    with zygote(tmp_path / "home") as running:
        os.kill(running.process.pid, signal.SIGINT)
        until = time.monotonic() + 120
        assert running.worker("def handler(e, c):\n    return 1").invoke({}).value == 1
        assert time.monotonic() < until
