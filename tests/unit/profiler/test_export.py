from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from relive_profiler.explore.export import (
    BINARY_FORMATS,
    FORMATS,
    export,
    export_bytes,
    to_collapsed,
    to_html,
    to_session,
    to_speedscope,
    to_text,
)
from relive_profiler.explore.flame_page import to_page
from relive_profiler.explore.folding import Folded
from relive_profiler.explore.tree import build

HOSTILE = "</script><script>alert(1)</script>\x1b[31m\0\x01;\u2028\ud800\n"


@pytest.fixture
def tree(stack, folded):
    return build(folded(stack("h b", ms=20), stack("h a c", ms=50), stack("h a", ms=30)), title="checkout")


@pytest.fixture
def hostile(stack, folded):
    return build(folded(stack(HOSTILE.replace(" ", "").replace("\n", ""), ms=5)), title=HOSTILE)


def test_a_session_has_the_trees_times(tree):
    session = to_session(tree)
    root = session.root_frame()
    assert root.function == "checkout"
    assert root.time == pytest.approx(0.1)
    handler = root.children[0]
    assert [(child.function, round(child.time, 3)) for child in handler.children] == [
        ("a", 0.08),
        ("b", 0.02),
    ]
    assert session.duration == pytest.approx(0.1)


def test_text_is_pyinstruments_tree(tree):
    text = to_text(tree)
    assert re.search(r"0\.080 a", text)
    assert re.search(r"0\.050 c", text)
    assert "checkout" in text


def test_without_samples_nothing_is_claimed_of_cold_starts():
    nothing = build(Folded(engine=""), title="checkout")
    assert export(nothing, "imports") == "checkout · no cold start was long enough for a sample\n"
    assert to_text(nothing).splitlines()[0] == "checkout: no samples · 0 invocations"


FRAME_FIELDS = {"name": str, "file": str, "line": int, "col": int}
UNITS = {"bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"}


def _check_speedscope(document):
    """speedscope's published schema, and what its reader asks beyond: opened and closed in order."""
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert document.keys() <= {"$schema", "profiles", "shared", "name", "activeProfileIndex", "exporter"}
    frames = document["shared"]["frames"]
    for frame in frames:
        assert "name" in frame
        assert all(type(value) is FRAME_FIELDS[name] for name, value in frame.items())
        assert frame.get("line", 1) > 0
    for profile in document["profiles"]:
        assert profile.keys() == {"type", "name", "unit", "startValue", "endValue", "events"}
        assert profile["type"] == "evented"
        assert profile["unit"] in UNITS
        open_frames = []
        at = profile["startValue"]
        for event in profile["events"]:
            assert at <= event["at"] <= profile["endValue"]
            at = event["at"]
            assert 0 <= event["frame"] < len(frames)
            if event["type"] == "O":
                open_frames.append(event["frame"])
            else:
                assert event["type"] == "C"
                assert open_frames.pop() == event["frame"]
        assert open_frames == []
    return document


def test_speedscope_reads_what_is_written(tree):
    document = _check_speedscope(json.loads(to_speedscope(tree)))
    (profile,) = document["profiles"]
    assert (profile["endValue"], profile["unit"]) == (100_000_000, "nanoseconds")
    frames = document["shared"]["frames"]
    assert [frame["name"] for frame in frames] == ["checkout", "h", "a", "c", "b"]  # and no "[self]"
    assert frames[1] == {"name": "h", "file": "h.py", "line": 1}
    events = [
        (event["type"], frames[event["frame"]]["name"], event["at"] // 10**6) for event in profile["events"]
    ]
    assert events == [
        ("O", "checkout", 0), ("O", "h", 0), ("O", "a", 0), ("O", "c", 0), ("C", "c", 50), ("C", "a", 80),
        ("O", "b", 80), ("C", "b", 100), ("C", "h", 100), ("C", "checkout", 100),
    ]  # fmt: skip


def test_the_text_has_a_row_for_each_function_and_none_for_its_own_time(tree):
    rows = [line for line in to_text(tree).splitlines() if line.strip()]
    assert "[self]" not in "\n".join(rows)
    assert [row.strip("├└│─ ").split()[:2] for row in rows[1:]] == [
        ["0.100", "checkout"],
        ["0.100", "h"],
        ["0.080", "a"],
        ["0.050", "c"],
        ["0.020", "b"],
    ]


def test_a_function_that_calls_itself_is_one_frame(stack, folded):
    document = json.loads(to_speedscope(build(folded(stack("h h h", ms=5)))))
    assert len(_check_speedscope(document)["shared"]["frames"]) == 2


def test_collapsed_is_a_line_per_stack(tree):
    assert to_collapsed(tree).splitlines() == [
        "checkout;h (h.py:1);a (a.py:1) 30000",
        "checkout;h (h.py:1);a (a.py:1);c (c.py:1) 50000",
        "checkout;h (h.py:1);b (b.py:1) 20000",
    ]


class _Page(HTMLParser):
    """The tags of a page, and the text inside those that are asked for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._in: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in.append(dict(attrs).get("id") or tag)

    def handle_endtag(self, tag):
        if self._in:
            self._in.pop()

    def handle_data(self, data):
        if self._in:
            self.texts[self._in[-1]] = self.texts.get(self._in[-1], "") + data

    @property
    def data(self):
        return json.loads(self.texts["data"])


WRITTEN = 1_796_000_000_123_456_789  # 2026-11-30 00:53:20 UTC


def test_the_page_names_what_it_shows_and_when_it_was_written(tree):
    page = _Page(to_html(tree, WRITTEN))
    assert page.texts["title"] == "checkout: wall time, sampled"
    assert page.texts["h1"] == "checkout"
    assert "2026-11-30 00:53:20 UTC" in to_html(tree, WRITTEN)
    # ... today, if nobody says when; midnight may come meanwhile
    before, page, after = datetime.now(UTC), to_html(tree), datetime.now(UTC)
    assert f"{before:%Y-%m-%d}" in page or f"{after:%Y-%m-%d}" in page


def test_the_page_holds_the_tree(tree):
    data = _Page(to_html(tree)).data
    names = [data["texts"][name] for name in data["names"]]
    assert names == ["checkout", "h", "a", "c", "b"]
    assert data["depths"] == [0, 1, 2, 3, 2]
    assert [value // 10**6 for value in data["values"]] == [100, 100, 80, 50, 20]
    assert sum(data["own"]) == data["values"][0]
    assert (data["unit"], data["left_out"]) == ("ns", 0)


def test_nothing_is_loaded_from_outside(tree):
    text = to_html(tree)
    page = _Page(text)
    # No address at all, and a policy under which the browser would fetch none.
    assert not re.search(r"(?i)https?://|//[a-z]+\.|@import|url\(", text)
    assert not [
        attributes for _, attributes in page.tags if attributes.keys() & {"src", "href", "action", "srcset"}
    ]
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(page.texts[tag].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_the_page_cannot_be_broken_out_of_by_a_name(hostile):
    text = to_html(hostile)
    empty = _Page(to_html(build(Folded())))
    assert [tag for tag, _ in _Page(text).tags] == [tag for tag, _ in empty.tags]
    assert "<script>alert" not in text
    assert _Page(text).data["texts"][1].startswith("</script><script>alert(1)</script>")
    text.encode("utf-8")


@pytest.mark.parametrize("name", ["@style@", "@data@ @script@", "@nosuch@", "a & b <i>"])
def test_a_name_that_looks_like_the_template_is_a_name(stack, folded, name):
    page = _Page(to_html(build(folded(stack("h", ms=1)), title=name)))
    assert page.texts["h1"] == name
    assert page.data["texts"][1] == name


def test_a_page_of_a_large_tree_keeps_its_sum(stack, folded):
    big = build(folded(*(stack(f"h f{number}", ms=1 + number % 50) for number in range(2000))))
    data = _Page(to_page(big, WRITTEN, 100)).data
    assert len(data["names"]) <= 200
    assert data["left_out"] == len(big) - len(data["names"])
    assert sum(data["own"]) == big.value[0]


@pytest.mark.parametrize("format_", FORMATS)
def test_hostile_names_and_empty_trees_are_written_in_every_format(hostile, format_):
    for tree in (hostile, build(Folded())):
        text = export(tree, format_)
        assert "\x1b" not in text
        text.encode("utf-8")
        if format_ == "speedscope":
            _check_speedscope(json.loads(text))


def test_a_large_tree_is_cut_to_its_heaviest_nodes_and_keeps_its_sum(stack, folded):
    big = build(folded(*(stack(f"h f{number}", ms=1 + number % 50) for number in range(2000))))
    session = to_session(big, max_nodes=100)
    assert len(session.frame_records) <= 200
    assert session.duration == pytest.approx(big.value[0] / 1e9)


def test_depth_two_hundred_is_no_problem(stack, folded):
    deep = build(folded(stack(" ".join(f"f{number}" for number in range(201)), ms=5)))
    for format_ in FORMATS:
        assert "f200" in export(deep, format_)


def _pprof_class():
    """The message of pprof's published profile.proto, as far as a profile of calls needs it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    fields = {
        "ValueType": "type=1 unit=2",
        "Sample": "location_id*=1 value*=2",
        "Line": "function_id=1 line=2",
        "Location": "id=1 line*Line=4",
        "Function": "id=1 name=2 system_name=3 filename=4",
        "Profile": "sample_type*ValueType=1 sample*Sample=2 location*Location=4 function*Function=5"
        " string_table*text=6 time_nanos=9 duration_nanos=10 comment*=13 default_sample_type=14",
    }
    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="p", syntax="proto3")
    for name, text in fields.items():
        message = file.message_type.add(name=name)
        for field in text.split():
            left, number = field.split("=")
            label, star, kind = left.partition("*")
            found = message.field.add(name=label, number=int(number), label=3 if star else 1)
            found.type = {"": 3, "text": 9}.get(kind, 11)
            if found.type == 11:
                found.type_name = f".p.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Profile"))


def test_pprof_is_read_by_its_published_message(tree):
    profile = _pprof_class().FromString(gzip.decompress(export_bytes(tree, "pprof", started_ns=7)))
    texts = list(profile.string_table)
    assert texts[0] == ""
    functions = {one.id: texts[one.name] for one in profile.function}
    places = {one.id: functions[one.line[0].function_id] for one in profile.location}
    stacks = {
        tuple(places[number] for number in reversed(sample.location_id)): sample.value[0] // 1_000_000
        for sample in profile.sample
    }
    assert stacks == {("checkout", "h", "a", "c"): 50, ("checkout", "h", "a"): 30, ("checkout", "h", "b"): 20}
    (kind,) = profile.sample_type
    assert (texts[kind.type], texts[kind.unit]) == ("wall", "nanoseconds")
    assert (profile.time_nanos, profile.duration_nanos) == (7, 100_000_000)


GO = shutil.which("go") or "/usr/local/go/bin/go"


@pytest.mark.timeout(660)  # at its first use Go builds pprof
@pytest.mark.skipif(not os.access(GO, os.X_OK), reason="there is no Go here: pprof's message is read above")
def test_go_tool_pprof_shows_the_same_times(tree, tmp_path):
    file = tmp_path / "profile.pb.gz"
    file.write_bytes(export_bytes(tree, "pprof"))
    environment = {"GOCACHE": "/var/tmp/go-build", **os.environ, "PPROF_TMPDIR": str(tmp_path)}
    command = [GO, "tool", "pprof", "-top", "-nodecount=10", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(r"50ms\s+50.00%\s+50.00%\s+50ms\s+50.00%\s+c", done.stdout), done.stdout
    assert re.search(r"30ms\s+30.00%\s+80.00%\s+80ms\s+80.00%\s+a", done.stdout), done.stdout


def test_otlp_profiles_are_read_by_their_message(tree):
    from opentelemetry.proto.profiles.v1development import profiles_pb2

    written = export_bytes(tree, "otlp", started_ns=7)
    data = profiles_pb2.ProfilesData.FromString(written)
    tables = data.dictionary
    texts = list(tables.string_table)
    (profile,) = data.resource_profiles[0].scope_profiles[0].profiles
    stacks = {}
    for sample in profile.samples:
        frames = [
            texts[tables.function_table[tables.location_table[index].lines[0].function_index].name_strindex]
            for index in tables.stack_table[sample.stack_index].location_indices
        ]
        stacks[tuple(reversed(frames))] = sample.values[0] // 1_000_000
    assert stacks == {("checkout", "h", "a", "c"): 50, ("checkout", "h", "a"): 30, ("checkout", "h", "b"): 20}
    assert texts[profile.sample_type.unit_strindex] == "nanoseconds"
    assert (profile.time_unix_nano, len(profile.profile_id)) == (7, 16)
    assert export_bytes(tree, "otlp", started_ns=7) == written


@pytest.mark.parametrize("format_", BINARY_FORMATS)
def test_hostile_and_empty_profiles_are_written_in_binary_too(hostile, format_):
    assert export_bytes(hostile, format_)
    assert export_bytes(build(Folded()), format_)
