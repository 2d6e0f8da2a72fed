"""Source as Python reads it: encodings, ends of lines, and code that is in no file."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
import relive_base
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import Redactor
from relive_base.source_text import decode_source, encode_source, source_encoding, split_source
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.explore.parts import SceneInput, failure_lines, render_text, write_scene
from relive_capture.explore.scene import SceneFile, read_scene
from relive_capture.explore.scene.cleaning import clean_member
from relive_capture.model import FrameView
from relive_capture.record.frames import InApp

Load = Callable[..., ModuleType]
Capture = Callable[..., Scene]
RULE = "def apply(order):\n    limit = 100\n    return limit / order['factor']\n"
LATIN = (
    "# -*- coding: latin-1 -*-\n"
    "größe = {'größe m': 590}\n"
    "def gebühr(paket):\n"
    "    schlüssel = 'größe ' + paket['größe']; übermaß = größe[schlüssel] + 1\n"
    "    return übermaß\n"
)


run: Any = exec  # what a function with rules in a database does


def archived(scene: Scene, folder: Path) -> SceneFile:
    record = InvocationRecord(
        invocation_id="0192b0a0-0000-7000-8000-000000000007",
        trace_id="a" * 32,
        span_id="b" * 16,
        function="shop",
        version=3,
        trigger_span_id="c" * 16,
        status="error",
    )
    write_scene(folder / "a.scene", SceneInput(record=record, scene=scene, event=b"{}"))
    return read_scene(folder / "a.scene")


def marked(found: SceneFile) -> tuple[str, str]:
    """The failing line and what the carets stand under."""
    lines = [line.text for line in failure_lines(found) if line.style == "mark"]
    start, end = lines[1].index("^"), lines[1].rindex("^") + 1
    return lines[0], lines[0][start:end]


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"a = '\xe4'", "utf-8", "a = '\ufffd'"),
        ("a = 'ä'".encode(), "utf-8", "a = 'ä'"),
        (b"# coding: latin-1\na = '\xe4'", "latin-1", "# coding: latin-1\na = 'ä'"),
        (b"#!py\n# vim: fileencoding=cp1252\n\x80", "cp1252", "#!py\n# vim: fileencoding=cp1252\n€"),
        (b"\n\n# coding: latin-1\n\xe4", "utf-8", "\n\n# coding: latin-1\n\ufffd"),
        (b"a = 1\n# coding: latin-1\n\xe4", "utf-8", "a = 1\n# coding: latin-1\n\ufffd"),
        (b"\x0c # coding=koi8-r\r\n\xc1", "koi8-r", "\x0c # coding=koi8-r\r\nа"),
        (b"\xef\xbb\xbfa = 1", "utf-8-sig", "a = 1"),
        (b"# coding: nosuch\n\xe4", "utf-8", "# coding: nosuch\n\ufffd"),
        (b"# coding: hex\n61", "utf-8", "# coding: hex\n61"),
        ("# coding: shift_jis\n日本".encode("shift_jis"), "shift_jis", "# coding: shift_jis\n日本"),
    ],
)  # fmt: skip
def test_source_is_decoded_as_python_does(data: bytes, encoding: str, text: str) -> None:
    assert (source_encoding(data), decode_source(data)) == (encoding, text)


def test_lines_end_where_python_ends_them() -> None:
    assert split_source("a\x0cb\x1cc\u2028d\x85e\r\nf\rg\nh") == ["a\x0cb\x1cc\u2028d\x85e", "f", "g", "h"]


def test_a_file_with_a_secret_keeps_its_encoding() -> None:
    data = "# coding: latin-1\nname = 'Größe'\npassword = 'hunter2'\n".encode("latin-1")

    clean = clean_member("source/app.py", data, Redactor())

    assert clean == data.replace(b"hunter2", b"[redacted]")
    assert encode_source(decode_source(clean), clean) == clean


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "cp1252"])
def test_a_file_is_archived_byte_for_byte_and_carets_stand_right(
    spec: FunctionSpec, load: Load, capture: Capture, tmp_path: Path, encoding: str, newline: str
) -> None:
    name = "utf-8" if encoding.startswith("utf") else encoding
    data = LATIN.replace("latin-1", name).replace("\n", newline).encode(encoding)
    path = Path(spec.source) / "fees.py"
    path.write_bytes(data)
    scope: dict[str, Any] = {}
    run(compile(data, str(path), "exec"), scope)

    found = archived(capture(scope["gebühr"], {"größe": "xl"}), tmp_path)

    line, under = marked(found)
    assert found.member("source/fees.py") == data
    assert "schlüssel = 'größe ' + paket['größe']" in line
    assert under == "größe[schlüssel]"


def test_carets_stand_right_beside_tabs_form_feeds_and_wide_letters(
    spec: FunctionSpec, capture: Capture, tmp_path: Path
) -> None:
    text = "# one\x0c\n\x0cdef handler(d):\n\tx = '\x0c'; y = '日本'; return d['a'] + 1\n"
    path = Path(spec.source) / "odd.py"
    path.write_text(text)
    scope: dict[str, Any] = {}
    run(compile(text, str(path), "exec"), scope)

    found = archived(capture(scope["handler"], {}), tmp_path)

    hit, marks = [line.text for line in failure_lines(found) if line.style == "mark"]
    wide = 2  # two letters of two cells each
    assert marks.index("^") == hit.index("d['a']") + wide
    assert marks.count("^") == len("d['a']")


# ---------------------------------------------------------------- code in no file


@pytest.fixture
def rules() -> Iterator[Callable[[str, str], Any]]:
    """Compile a rule whose text is in linecache alone; gives what it defines."""
    names: list[str] = []

    def make(name: str, text: str = RULE) -> Any:
        names.append(name)
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        scope: dict[str, Any] = {}
        run(compile(text, name, "exec"), scope)
        return scope["apply"]

    yield make
    for name in names:
        linecache.cache.pop(name, None)


@pytest.mark.parametrize("name", ["<rule 7>", "<../../rule>", "rules/7.py", "/nowhere/rule.py"])
def test_code_from_exec_is_the_users_own_with_source_and_locals(
    rules: Callable[[str], Any], capture: Capture, tmp_path: Path, name: str
) -> None:
    found = archived(capture(rules(name), {"factor": 0}), tmp_path)

    frame: FrameView = found.exceptions[0].frames[-1]
    assert (frame.in_app, frame.line, frame.function) == (True, 3, "apply")
    assert [label for label, _ in frame.locals] == ["order", "limit"]
    assert found.source(frame.file) == RULE
    line, under = marked(found)
    assert "return limit / order['factor']" in line
    assert under == "limit / order['factor']"


def test_rules_are_groups_of_their_own(rules: Callable[[str], Any], capture: Capture) -> None:
    groups = {capture(rules(name), {"factor": 0}).error.fingerprint for name in ("<rule a>", "<rule b>")}

    assert len(groups) == 2


@pytest.mark.parametrize("name", ["<attrs generated init app.Order>", "<decorator-gen-7>"])
def test_what_a_library_generated_is_not_the_users(
    rules: Callable[[str], Any], capture: Capture, views: Callable[[Scene], Any], name: str
) -> None:
    assert not views(capture(rules(name), {"factor": 0}))[0].frames[-1].in_app


@pytest.mark.parametrize(
    "entry",
    [(lambda: "x",), (1, None, ["x"]), (1, None, [object()], "n"), (1, None, "text", "n"), None, object()],
)
def test_an_odd_entry_of_linecache_is_left_alone(
    capture: Capture, views: Callable[[Scene], Any], entry: Any
) -> None:
    scope: dict[str, Any] = {}
    run(compile(RULE, "<odd>", "exec"), scope)
    linecache.cache["<odd>"] = entry
    try:
        frame = views(capture(scope["apply"], {"factor": 0}))[0].frames[-1]
    finally:
        del linecache.cache["<odd>"]

    assert frame.in_app
    assert not frame.source


def test_a_template_without_a_file_does_not_hide_the_line_that_rendered_it(
    load: Load, capture: Capture, views: Callable[[Scene], Any]
) -> None:
    # Given a page that is made of a text, which no traceback can show
    app = load(
        "import jinja2\nPAGE = jinja2.Template('{{ row.manager.name }}')\n"
        "def handler(row):\n    return PAGE.render(row=row)\n"
    )

    # When it fails
    frames = views(capture(app.handler, {}))[0].frames

    # Then the innermost frame of the function's own is the line that rendered it
    own = [frame for frame in frames if frame.in_app]
    assert (own[-1].function, own[-1].line) == ("handler", 4)


def test_all_frames_are_shown_with_line_and_locals(load: Load, capture: Capture, tmp_path: Path) -> None:
    app = load("import json\ndef handler(text):\n    order = 7\n    return json.loads(text)\n")
    found = archived(capture(app.handler, "{"), tmp_path)

    short, whole = render_text(found), render_text(found, all_frames=True)

    assert "raw_decode" not in short
    assert "more frames" in short
    assert "raw_decode" in whole
    assert "(library)" in whole
    assert "    order = 7" in whole
    assert "more frames" not in whole


def test_a_home_in_the_functions_folder_is_none_of_its_code(tmp_path: Path) -> None:
    # Given a working copy in which a home lies, with dependencies and links to Relive's own code
    own = relive_base.__file__
    spec = FunctionSpec(
        name="shop", version=0, handler="app:f", kind="event", source=str(tmp_path),
        dependencies_dir=str(tmp_path / "home" / "deps" / "ab12"), in_app=[],
    )  # fmt: skip
    in_app = InApp.of(spec)
    # When it is asked whose files are, I expect only the function's own to be
    assert in_app.place(str(tmp_path / "app.py")) == (True, "app.py")
    assert not in_app.place(str(tmp_path / "home" / "deps" / "ab12" / "requests" / "api.py"))[0]
    outer = os.path.dirname(os.path.dirname(own))
    around = FunctionSpec(name="shop", version=0, handler="app:f", kind="event", source=outer)
    assert not InApp.of(around).place(own)[0]
    # ... and a folder of a dependency that the function calls its own
    wanted = msgspec.structs.replace(spec, in_app=[str(tmp_path / "home" / "deps" / "ab12" / "shared")])
    assert InApp.of(wanted).place(str(tmp_path / "home" / "deps" / "ab12" / "shared" / "x.py"))[0]
