"""What filled the memory and who holds it: `relive heap` on scene files and on a heap of Node's."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import msgspec
import pytest
from heap_builder import HeapBuilder, frame_root
from relive_capture.explore.scene import baseline_path
from relive_capture.heap_format import INDEX, INTERNAL, ITEM, HeapRoot
from relive_cli import Relive, toml


def scene_file(folder: Path, name: str, thumbs: int | None, reason: str = "") -> Path:
    """A scene of `resize`, whose module has cached so many thumbnails; None: without a heap."""
    builder = HeapBuilder()
    if thumbs is not None:
        cache = builder.add("dict", 5_000)
        for number in range(thumbs):
            data = builder.add("bytes", 100_000, value=rf"b'\x89PNG {number}'")
            page = builder.add("list", 60, [(builder.label(INDEX, 0), data)])
            builder.refer(cache, page, builder.label(ITEM, f"'/a/{number}.png'"))
        namespace = builder.add("dict", 300, [(builder.label(ITEM, "'_cache'"), cache)])
        module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), namespace)])
        event = builder.add("dict", 232)
        frame_root(builder, "thumb.py:41 load", {"event": event, "path": builder.add("str", 70)})
        builder.roots.append(HeapRoot(kind="module", name="thumb", targets=[(0, module)]))
        builder.meta = {"function": "resize", "version": 2, "invocation_id": name, "walker": "c"}
    state = {"state": "missing", "reason": reason} if thumbs is None else {"state": "ok"}
    manifest = {
        "schema": 1,
        "invocation_id": name,
        "function": "resize",
        "version": 2,
        "attempt": 1,
        "error": {"type": "MemoryError"},
        "parts": {"heap": state},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", msgspec.json.encode(manifest))
        for member, data in builder.members().items() if thumbs is not None else ():
            archive.writestr(member, data)
    path = folder / f"{name}.scene"
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def cli(tmp_path: Path) -> Relive:
    return Relive(tmp_path / "home")


def test_one_screen_says_what_filled_the_memory_and_who_holds_it(cli: Relive, tmp_path: Path) -> None:
    file = scene_file(tmp_path, "01a2", 50)
    text = cli.run("heap", str(file)).stdout
    assert "resize v2 · 01a2" in text
    assert "100.0%      5 MB  module thumb" in text
    assert "all but little of it in module thumb › ._cache" in text
    assert "50 × bytes" in text
    assert "event" in text
    assert "thumb.py:41 load" in text
    assert len(text.splitlines()) <= 40
    (row,) = cli.json("heap", str(file))
    assert row["suspects"][0]["point"]["path"] == "module thumb › ._cache"
    assert row["suspects"][0]["holds"] == {"type": "bytes", "count": 50, "bytes": 5_000_000}
    assert [local["name"] for local in row["locals"]] == ["event", "path"]
    assert (row["function"], row["objects"], row["walker"]) == ("resize", 105, "c")
    # It is analysed once, and then mapped from the cache.
    (cached,) = (cli.home / "scenes" / "cache").iterdir()
    assert cli.json("heap", str(file)) == [row]
    assert [cached] == list((cli.home / "scenes" / "cache").iterdir())


def test_what_holds_an_object(cli: Relive, tmp_path: Path) -> None:
    file = scene_file(tmp_path, "01a2", 50)
    (row,) = cli.json("heap", str(file))
    address = row["suspects"][0]["point"]["address"]
    text = cli.run("heap", str(file), "--retainers", address).stdout
    assert "module thumb › ._cache" in text
    assert "['_cache']" in text
    (held,) = cli.json("heap", str(file), "--retainers", address)
    assert [path["text"] for path in held["paths"]] == ["module thumb › ._cache"]
    assert held["referrer_count"] == 1
    assert cli.run("heap", str(file), "--retainers", "0x5", check=False).returncode == 1
    assert cli.run("heap", str(file), "--retainers", "nobody", check=False).returncode == 2


def test_what_has_grown_since_another_heap(cli: Relive, tmp_path: Path) -> None:
    before, after = scene_file(tmp_path, "01a1", 5), scene_file(tmp_path, "01a2", 50)
    text = cli.run("heap", str(after), "--compare", str(before)).stdout
    assert "+4 MB" in text
    assert "dict  module thumb › ._cache" in text
    (row,) = cli.json("heap", str(after), "--compare", str(before))
    assert row["bytes_after"] - row["bytes_before"] == 45 * 100_060
    assert (row["types"][0]["name"], row["types"][0]["growth"]) == ("bytes", 4_500_000)


def test_what_has_grown_since_a_healthy_invocation(cli: Relive, tmp_path: Path) -> None:
    after = scene_file(tmp_path, "01a2", 50)
    absent = cli.run("heap", str(after), "--compare", "baseline", check=False)
    assert absent.returncode == 1
    assert "hint: relive heap resize --next" in absent.stderr
    path = baseline_path(cli.home / "scenes", "resize", 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    scene_file(tmp_path, "01a1", 5).rename(path)
    text = cli.run("heap", str(after), "--compare", "baseline").stdout
    assert "Growth from resize v2 · 01a1" in text
    assert "dict  module thumb › ._cache" in text


def test_a_heap_goes_out_for_chrome_and_comes_in_again(cli: Relive, tmp_path: Path) -> None:
    target = tmp_path / "out.heapsnapshot"
    cli.run("heap", str(scene_file(tmp_path, "01a2", 50)), "--export", str(target))
    assert json.loads(target.read_text())["snapshot"]["node_count"] > 100
    (row,) = cli.json("heap", str(target))
    assert row["suspects"][0]["holds"]["type"] == "bytes"
    assert row["walker"] == "v8"


def test_a_heap_of_node_is_explored_with_the_same_command(cli: Relive, tmp_path: Path) -> None:
    file = tmp_path / "node.heapsnapshot"
    program = (
        "globalThis.cache = new Map();"
        "for (let i = 0; i < 20000; i++) cache.set('/a/' + i, {data: 'x'.repeat(50) + i});"
        "require('v8').writeHeapSnapshot(process.argv[1])"
    )
    subprocess.run(["node", "-e", program, str(file)], check=True, timeout=60)
    text = cli.run("heap", str(file)).stdout
    assert "module global › .cache" in text


def test_a_scene_without_a_heap_says_why(cli: Relive, tmp_path: Path) -> None:
    file = scene_file(tmp_path, "01a3", None, "headroom 40 MB < 3 x heap 90 MB")
    done = cli.run("heap", str(file), check=False)
    assert done.returncode == 1
    assert "has no heap: headroom 40 MB < 3 x heap 90 MB" in done.stderr
    assert "hint:" in done.stderr
    absent = cli.run("heap", str(tmp_path / "absent.heapsnapshot"), check=False)
    assert "cannot be opened" in absent.stderr


def test_the_failure_says_what_is_in_its_heap(cli: Relive, tmp_path: Path) -> None:
    file = scene_file(tmp_path, "01a2", 50)
    before = cli.run("failure", str(file)).stdout
    assert "heap: 105 objects, 5 MB\n" in before
    assert f"relive heap {file}" in before
    # Once it was analysed, the local that leads to most is known, too.
    cli.run("heap", str(file))
    assert (
        "heap: 105 objects, 5 MB; the local event of thumb.py:41 load leads to 232 B"
        in cli.run("failure", str(file)).stdout
    )


RESIZE = """
import os

_cache = {}

class Page:
    def __init__(self, number):
        self.number = number
        self.rows = [{"sku": f"sku-{number}-{row}", "price": row * 1.5} for row in range(50)]

def render(pages, index):
    for page in pages:
        _cache[f"/a/{page.number}.png"] = os.urandom(30_000)
    return index["missing"]

def handler(event, context):
    pages = [Page(number) for number in range(event["pages"])]
    index = {page.number: page for page in pages}
    return render(pages, index)
"""


def test_a_real_failure_names_the_cache_that_leaks_and_the_locals_that_hold_the_rest(server: Relive) -> None:
    # Given a function whose module keeps what it renders, and whose locals share many rows
    functions = toml({"resize": 'handler = "thumb:handler"'})
    server.run("deploy", str(server.application({"relive.toml": functions, "thumb.py": RESIZE})))
    # When it fails
    failed = server.invoke("resize", {"pages": 400})["invocation_id"]
    # I expect its heap to name both, by the names that the code has for them
    (row,) = server.eventually(lambda: server.json("heap", failed, check=False))
    assert server.json("heap", "resize") == [row]
    cache, thread = row["suspects"][:2]
    assert cache["point"]["path"] == "module thumb › ._cache"
    assert cache["holds"]["type"] == "bytes"
    assert cache["holds"]["bytes"] > 350 * 30_000  # the replay's record of os.urandom holds some of them, too
    assert thread["path"] == "the thread that failed"
    assert sorted(name.split()[0] for name in thread["shared_by"]) == ["index", "pages"]
    reached = {(local["name"], local["frame"].split()[-1]): local for local in row["locals"]}
    assert reached["pages", "render"]["reaches"] > 400 * 50 * 100
    assert reached["pages", "render"]["exclusive"] == 0
    held = server.json("heap", failed, "--retainers", reached["pages", "render"]["address"])[0]
    paths = [path["text"].partition(" ")[2] for path in held["paths"]]
    assert {"render › pages", "handler › pages"} <= set(paths)
    # and a second one of the same kind to show the same heap, and to say so
    second = server.invoke("resize", {"pages": 10})["invocation_id"]
    server.scene(second)
    shown = server.run("heap", second, "--json")
    assert json.loads(shown.stdout) == row
    assert f"in {failed}" in shown.stderr
