"""Errors as programs of other languages tell them: stacks, payloads, and the scene that they make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import FunctionSpec
from relive_capture.record.told import Told, capture_told, parse_stack, read_payload

NODE = """RangeError: bad 3
    at fail (/srv/app/index.js:2:33)
    at async Object.run (file:///srv/a%20b/main.mjs:300:20)
    at new Promise (<anonymous>)
    at node:internal/process/task_queues:95:5"""
PYTHON = """Traceback (most recent call last):
  File "/a/x.py", line 3, in handler
    foo()
    ~~~^^
  File "/a/y.py", line 9, in foo
KeyError: 1"""
FAULT = """Fatal Python error: Aborted

Current thread 0x1 (most recent call first):
  File "/a/y.py", line 9 in foo
  File "/a/x.py", line 3 in handler
"""
GO = """panic: boom [recovered]

goroutine 1 [running]:
main.(*Server).run(0xc000, {0x1, 0x2})
	/src/server.go:40 +0x99
main.main()
	/src/main.go:20 +0x25

goroutine 5 [sleep]:
time.Sleep(0x5)
	/usr/lib/go/src/runtime/time.go:195 +0x1
"""
JAVA = "java.lang.Error: x\n\tat com.foo.Bar.baz(Bar.java:10)\n\tat com.foo.Main.main(Main.java:3)"
HANG = """SIGABRT: abort
PC=0x40a8ae m=0 sigcode=0

goroutine 0 gp=0x9d m=0 mp=0x9c [idle]:
runtime.futex(0x9d, 0x80)
	/usr/local/go/src/runtime/sys_linux_amd64.s:557 +0x21 fp=0x7f sp=0x7f pc=0x4

goroutine 1 gp=0xc0 m=nil [select (no cases)]:
runtime.gopark(0x45, 0x9f)
	/usr/local/go/src/runtime/proc.go:468 +0xce fp=0x2c sp=0x2c pc=0x45
main.handle(0x13)
	/src/main.go:19 +0xa5 fp=0x2c sp=0x2c pc=0x7
"""
DOTNET = "   at Shop.Cart.Total(Int32 n) in /src/Cart.cs:line 12\n   at Shop.Main() in /src/Main.cs:line 3"
RUBY = "/a/b.rb:3:in 'foo': bad (ArgumentError)\n\tfrom /a/c.rb:9:in `bar'"
PHP = "#0 /a/x.php(12): foo(1)\n#1 /a/y.php(3): bar()"
RUST = "   0: shop::total\n        at ./src/main.rs:12:9\n   1: shop::main\n        at ./src/main.rs:20:5"
SHELL = "./bootstrap: line 3: foo: command not found"


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        (
            NODE,
            [
                ("node:internal/process/task_queues", 95, ""),
                ("/srv/a b/main.mjs", 300, "Object.run"),
                ("/srv/app/index.js", 2, "fail"),
            ],
        ),
        (PYTHON, [("/a/x.py", 3, "handler"), ("/a/y.py", 9, "foo")]),
        (FAULT, [("/a/x.py", 3, "handler"), ("/a/y.py", 9, "foo")]),
        (GO, [("/src/main.go", 20, "main.main"), ("/src/server.go", 40, "main.(*Server).run")]),
        (
            HANG,
            [
                ("/src/main.go", 19, "main.handle"),
                ("/usr/local/go/src/runtime/proc.go", 468, "runtime.gopark"),
            ],
        ),
        (JAVA, [("Main.java", 3, "com.foo.Main.main"), ("Bar.java", 10, "com.foo.Bar.baz")]),
        (DOTNET, [("/src/Main.cs", 3, "Shop.Main"), ("/src/Cart.cs", 12, "Shop.Cart.Total")]),
        (RUBY, [("/a/c.rb", 9, "bar"), ("/a/b.rb", 3, "foo")]),
        (PHP, [("/a/y.php", 3, "bar"), ("/a/x.php", 12, "foo")]),
        (RUST, [("./src/main.rs", 20, "shop::main"), ("./src/main.rs", 12, "shop::total")]),
        (SHELL, [("./bootstrap", 3, "")]),
        ("nothing\nof the kind", []),
    ],
)
def test_stacks_of_many_languages_are_frames_outermost_first(
    text: str, frames: list[tuple[str, int, str]]
) -> None:
    assert [(frame.file, frame.line, frame.function) for frame in parse_stack(text)] == frames


@given(st.text(max_size=400))
def test_any_text_is_a_stack_or_none(text: str) -> None:
    parse_stack(text)
    parse_stack(NODE + "\n" + text)


def test_a_stack_that_never_ends_is_cut() -> None:
    assert len(parse_stack("    at f (/a.js:1:1)\n" * 100_000)) == 500
    assert parse_stack("    at " + ":1" * 100_000) == []


def test_an_error_is_told_in_lambdas_form_with_its_causes() -> None:
    body = {
        "errorType": "A",
        "errorMessage": "a",
        "trace": ["A: a", "    at f (/x.js:1:2)"],
        "cause": {
            "errorType": "B",
            "errorMessage": {"odd": 1},
            "stackTrace": [{"path": "m.go", "line": 3, "label": "g"}],
        },
    }

    first, second = read_payload(json.dumps(body).encode())

    assert (first.type, first.message, first.relation) == ("A", "a", "")
    assert parse_stack(first.stack)[0].function == "f"
    assert (second.type, second.message, second.relation) == ("B", '{"odd": 1}', "cause")
    assert parse_stack(second.stack)[0][:3] == ("m.go", 3, "g")


def test_what_is_not_of_that_form_is_told_as_it_is() -> None:
    cause = json.dumps({"exceptions": [{"stack": [{"path": "/a.js", "line": 1, "label": "f"}]}]})
    (told,) = read_payload(b"\xff nonsense", "Odd", cause)
    assert (told.type, told.message) == ("Odd", "\\xff nonsense")
    assert parse_stack(told.stack)[0].file == "/a.js"
    assert read_payload(b"")[0].type == "Error"
    assert read_payload(b"[1]", "T", "{}")[0].message == "[1]"


@given(st.binary(max_size=200), st.text(max_size=50), st.text(max_size=100))
def test_any_payload_is_an_error(body: bytes, kind: str, cause: str) -> None:
    assert read_payload(body, kind, cause)


def spec(folder: Path, **fields: object) -> FunctionSpec:
    return FunctionSpec(name="f", version=1, handler="x", source=str(folder), kind="custom", **fields)  # type: ignore[arg-type]


def test_the_same_failure_is_one_group_whatever_its_data_and_place(tmp_path: Path) -> None:
    def group(message: str, folder: str, line: int = 2, name: str = "fail") -> str:
        stack = f"RangeError: x\n    at {name} ({folder}/index.js:{line}:3)\n    at node:internal/x:1:2"
        one = FunctionSpec(name="f", version=1, handler="x", source=folder)
        scene = capture_told(
            [Told("RangeError", message, stack)], kind="exception", spec=one, invocation_id="i"
        )
        return scene.error.fingerprint

    assert group("bad 3", "/a") == group("bad 77", "/b/c", line=9)
    assert group("bad 3", "/a") != group("worse", "/a")
    assert group("bad 3", "/a") != group("bad 3", "/a", name="other")


def test_what_belongs_to_libraries_is_not_the_functions_own(tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text("first\nsecond\n")
    lines = [f"    at f ({tmp_path}/{name}:2:1)" for name in ("node_modules/x/a.js", "index.js")]
    told = Told("E", "m", "\n".join(["E: m", *lines, "    at node:internal/x:1:2"]))

    scene = capture_told([told], kind="exception", spec=spec(tmp_path), invocation_id="i")

    frames = json.loads(scene.members["exception.json"])[0]["frames"]
    assert [frame.get("in_app", False) for frame in frames] == [False, True, False]
    assert frames[1]["source"] == ["first", "second"]
    assert (scene.error.file, scene.error.line) == ("index.js", 2)
    assert scene.members["source/index.js"] == b"first\nsecond\n"


def test_without_values_no_words_of_the_program_are_kept(tmp_path: Path) -> None:
    told = Told("E", "m", details=[("stderr", "words")])
    scene = capture_told([told], kind="exit", spec=spec(tmp_path, capture="off"), invocation_id="i")
    assert b"words" not in scene.members["exception.json"]
