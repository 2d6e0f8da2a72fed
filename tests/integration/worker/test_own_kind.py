"""A new kind of handler is a module and a line in the table of kinds: this one lives in the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from fresh_process import ROOT, in_a_fresh_process
from worker_harness import zygote

SERVICE = """
class Stock:
    def __init__(self):
        self.items = {"pen": 3}

    def count(self, name):
        print("counts", name)
        return self.items[name]

    def handle(self, name):
        return object()
"""
LINE = """
from relive_runtime.adapters.table import KINDS, Kind

KINDS["rpc"] = Kind("a class", "rpc_adapter:RpcAdapter")
"""
TOML = '[functions.stock]\nsource = "."\nhandler = "main:Stock"\nkind = "rpc"\n'


def one_more_kind(folder: Path) -> str:
    """A dependency folder with the adapter, and with the line that a new kind has in the table."""
    deps = folder / "deps"
    deps.mkdir()
    shutil.copy(ROOT / "tests" / "support" / "rpc_adapter.py", deps)
    (deps / "one_more_kind.py").write_text(LINE)
    return str(deps)


def test_a_kind_of_handler_from_elsewhere_is_called_recorded_and_fails_with_a_scene(tmp_path: Path) -> None:
    # Given a zygote whose table has one more kind of handler
    with zygote(tmp_path, deps_dir=one_more_kind(tmp_path), preload=["one_more_kind"]) as running:
        assert not running.ready.failed_imports
        worker = running.worker(SERVICE, "main:Stock", kind="rpc")

        # When events come
        counted = worker.invoke({"method": "count", "params": ["pen"]})
        unknown = worker.invoke({"method": "sell", "params": []})
        failed = worker.invoke({"method": "count", "params": ["ink"]})

        # I expect decode, call and encode to be the adapter's
        assert counted.value == {"result": 3}
        assert counted.lines == ["counts pen"]

        # ... what it refuses to be a bad event, after which the worker goes on
        assert unknown.result.error is not None
        assert (unknown.result.error.kind, unknown.result.reusable) == ("bad_event", True)

        # ... and a failure of the user's code to have its scene
        assert failed.result.error is not None
        assert failed.scene is not None
        assert failed.result.error.type == "KeyError"
        assert failed.result.error.message == "'ink'"
        assert "self.items[name]" in failed.result.error.traceback


def test_what_the_adapter_cannot_encode_is_a_bad_result(tmp_path: Path) -> None:
    # Given a service whose method gives what is not JSON
    with zygote(tmp_path, deps_dir=one_more_kind(tmp_path), preload=["one_more_kind"]) as running:
        worker = running.worker(SERVICE, "main:Stock", kind="rpc")

        # When it is called
        outcome = worker.invoke({"method": "handle", "params": ["pen"]})

        # I expect the place in the answer to be named
        assert outcome.result.error is not None
        assert outcome.result.error.kind == "bad_result"
        assert 'result["result"]' in outcome.result.error.message


def test_a_function_of_a_kind_that_there_is_not_fails_when_it_is_loaded(tmp_path: Path) -> None:
    # Given a function of a later version of Relive
    with zygote(tmp_path) as running:
        worker = running.unloaded(SERVICE, "main:Stock", kind="wasm")

        # When it is loaded
        failed, _ = worker.init_failed()

        # I expect the kinds that there are
        assert failed.error.type == "UnknownKind"
        assert "use one of event, http" in failed.error.message


@in_a_fresh_process
def test_relive_toml_may_have_every_kind_of_the_table(tmp_path: Path) -> None:
    # Given one more line in the table
    from relive_runtime.adapters.table import KINDS, Kind

    KINDS["rpc"] = Kind("a class", "rpc_adapter:RpcAdapter")
    from relive_platform.registry.application.load import load

    (tmp_path / "main.py").write_text(SERVICE)
    (tmp_path / "relive.toml").write_text(TOML)

    # When an application has a function of that kind
    application = load(tmp_path)

    # I expect it to be one
    assert application.functions["stock"].kind == "rpc"
