"""A snapshot of this very process: roots, names, texts without secrets, limits, trouble with the disk."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from relive_base.wire.messages import FunctionSpec, HeapTaken, TakeHeap
from relive_capture.record.heap import PURE_VARIABLE, native_walk, take_heap

from tests.support.fresh_process import in_a_fresh_process
from tests.support.heap_files import HeapFiles

SECRET = "tok-9f8a7c6b5d4e3f2a1b0c"


class Order:
    def __init__(self) -> None:
        self.sku = "lamp"
        self.lines = [("lamp", 2)]


class Login(NamedTuple):
    user: str
    password: str


class Session:
    def __init__(self) -> None:
        self.password = "hunter2-and-more"
        self.user = "ada"


def fail() -> None:
    order = Order()
    config = {"api_key": SECRET, "region": "eu-west", "credentials": {"inner": {"deep": "also-secret-7781"}}}
    config["headers"] = [("x-api-key", "also-secret-7782"), ("accept", "*/*")]  # type: ignore[assignment]
    config["env"] = [{"name": "DB_PASSWORD", "value": "also-secret-7783"}]  # type: ignore[assignment]
    config["command"] = ["mysql", "--password", "also-secret-7784"]  # type: ignore[assignment]
    config["raw"] = {b"x-api-key": b"also-secret-7785"}  # type: ignore[dict-item]
    config["login"] = Login("ada", "also-secret-7786")  # type: ignore[assignment]
    session, hoard = Session(), [[index] for index in range(20_000)]
    raise ValueError(order, config, session, len(hoard))


def far() -> dict[str, Any]:
    """Reached from no frame of the failure."""
    return {"plain_name": 1, "k1234567890abcdef": 2, "zyq" * 70: 3, 4_000: 5}


FAR = {"store": far()}


@pytest.fixture(params=["c", "python"])
def walker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "c" and native_walk() is None:
        pytest.skip("the extension is not built here")
    monkeypatch.setenv(PURE_VARIABLE, "1" if request.param == "python" else "0")
    return str(request.param)


def failed() -> ValueError:
    try:
        fail()
    except ValueError as caught:
        return caught
    raise AssertionError


def take(folder: Path, error: BaseException | None, **limits: Any) -> HeapTaken:
    spec = FunctionSpec(name="shop", version=3, handler="main:handler", source=str(Path(__file__).parent))
    command = TakeHeap(invocation_id="inv-1", folder=str(folder / "heap"), **limits)
    return take_heap(command, spec, error)


@in_a_fresh_process
def test_a_failure_s_heap(tmp_path: Path, walker: str) -> None:
    taken = take(tmp_path, failed())

    assert (taken.part.state, taken.folder) == ("ok", str(tmp_path / "heap"))
    heap = HeapFiles.read(tmp_path / "heap")
    heap.check()
    assert taken.objects == heap.meta["objects"]
    assert taken.bytes == sum(file.stat().st_size for file in (tmp_path / "heap").iterdir())
    assert (heap.meta["walker"], heap.meta["function"], heap.meta["version"]) == (walker, "shop", 3)
    # Everything has a way from a root
    assert len(heap.reachable()) == heap.meta["objects"]
    # The locals are roots, and what they hold has the names that people know
    hoard = heap.local("fail", "hoard")
    assert heap.type_of(hoard) == "list"
    assert heap.columns["size"][hoard] > 150_000
    assert heap.type_of(heap.follow(hoard, 19_999)) == "list"
    order = heap.local("fail", "order")
    attributes = heap.held(order)
    attributes = attributes if "sku" in attributes else heap.held(attributes["__dict__"])
    assert heap.text(attributes["sku"]) == "'lamp'"
    assert heap.text(heap.follow(attributes["lines"], 0, 1)) == "2"
    assert heap.text(heap.follow(heap.local("fail", "config"), "'region'")) == "'eu-west'"


@in_a_fresh_process
def test_no_secret_is_in_the_files(tmp_path: Path, walker: str) -> None:
    take(tmp_path, failed())

    written = b"".join(file.read_bytes() for file in (tmp_path / "heap").iterdir())
    for secret in (SECRET, "hunter2-and-more", *[f"also-secret-778{n}" for n in range(1, 7)]):
        assert secret.encode() not in written
    heap = HeapFiles.read(tmp_path / "heap")
    assert heap.text(heap.follow(heap.local("fail", "config"), "'api_key'")) == "[redacted]"


@in_a_fresh_process
def test_names_that_utf8_cannot_carry_are_escaped(tmp_path: Path, walker: str) -> None:
    # Given names that hold lone surrogates, as those of undecodable files do
    def fail_with(_held: object) -> None:
        raise ValueError("x")

    kind = type("Cafe", (), {})
    kind.__qualname__ = "Caf\udce9"
    try:
        fail_with({"caf\udce9": kind()})
    except ValueError as error:
        caught = error
    # When the heap is taken
    taken = take(tmp_path, caught)
    # Then it is whole, and the names are there with escapes
    assert taken.part.state == "ok", taken.part.reason
    files = b"".join(file.read_bytes() for file in (tmp_path / "heap").glob("*.json"))
    assert b"Caf\\\\udce9" in files


@in_a_fresh_process
def test_far_keys_are_names_or_lengths(tmp_path: Path) -> None:
    take(tmp_path, failed())

    strings = HeapFiles.read(tmp_path / "heap").strings
    assert "'plain_name'" in strings
    assert "4000" in strings
    assert "<str of 17>" in strings
    assert "<str of 210>" in strings
    assert [text for text in strings if "k1234567890abcdef" in text or "zyqzyq" in text] == []


@in_a_fresh_process
def test_a_healthy_process(tmp_path: Path) -> None:
    taken = take(tmp_path, None)

    heap = HeapFiles.read(tmp_path / "heap")
    heap.check()
    assert taken.part.state == "ok"
    assert not [root for root in heap.roots if root["kind"] == "frame"]
    assert len(heap.reachable()) == heap.meta["objects"]


@pytest.mark.parametrize(
    ("limits", "name"),
    [({"max_objects": 2_000}, "objects"), ({"max_bytes": 200_000}, "bytes"), ({"cpu_s": 0}, "cpu")],
)
def test_a_limit_makes_it_partial(tmp_path: Path, walker: str, limits: dict[str, Any], name: str) -> None:
    taken = take(tmp_path, failed(), **limits)

    heap = HeapFiles.read(tmp_path / "heap")
    heap.check()
    assert taken.part.state == "partial"
    assert f"the limit of {next(iter(limits.values()))}" in taken.part.reason
    assert heap.meta["truncated"] == name
    assert heap.local("fail", "order") >= 0  # the failure's own come first


@pytest.fixture
def _small_files() -> Iterator[None]:
    """Files end at 64 KB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("_small_files")
@in_a_fresh_process
def test_a_full_disk(tmp_path: Path, walker: str) -> None:
    taken = take(tmp_path, failed())

    assert (taken.part.state, taken.part.reason) == (
        "missing",
        "it could not be written: no space left on the disk",
    )
    assert not os.path.lexists(tmp_path / "heap")


@in_a_fresh_process
def test_it_follows_no_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "heap").symlink_to(elsewhere)

    taken = take(tmp_path, failed())

    assert taken.part.state == "missing"
    assert not list(elsewhere.iterdir())
