"""Generate docs/reference from the code, or check that the committed pages are current (`--check`).

Commands come from click, settings from `relive_platform.settings`, tables from the migrations, the Python API
from signatures and docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from relive.group import GROUPS, cli
from relive_outside.record.settings import markdown_table as recording_table
from relive_platform.settings import markdown_table
from relive_store import load_migrations

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MARK = "<!-- generated: make reference -->"

API = {
    "relive": (
        "Inside a function, nothing has to be imported. These are there if you want them, and `record` is for"
        " code that Relive does not run.",
        (),
    ),
    "relive.testing": ("What a test that `relive scene ID --to-test` wrote imports.", ()),
    "relive_store": (
        "Reads what was recorded, from a program of your own.",
        ("open_store", "Store", "StoreError"),
    ),
}
"""module -> (what it is for, names; all of `__all__` if empty)"""

TABLES = {
    "invocations": "One row for each attempt: times, status, error, trace, resources.",
    "otel_traces": "Spans, in the columns of the OpenTelemetry Collector's ClickHouse exporter.",
    "otel_logs": "Log records and lines printed, in the columns of the same exporter.",
    "usage": "What functions have used, by UTC day: a view of `invocations`.",
    "invocations_1m": "Attempts of each function by minute, for 90 days. Read states with `...Merge`.",
    "platform_1m": "What the server says of itself by minute: workers, queue, lag, memory.",
    "alert_history": "Each change of an alert's state.",
    "profiles": "One row for each profiled attempt and phase: stacks with their samples and times."
    " `MemoryPeakBytes` is 0 if the peak was an earlier invocation's of the process, and so not known;"
    " `RunQueueNs` is -1 if it is not known. Time that a sleep was interrupted for, and waited for a CPU,"
    " is in it as well.",
    "profile_stacks": "The frames of each stack, once for each function.",
    "failure_scenes": "One row for each failure: what its scene says first. The scene itself is a file.",
    "failure_marks": "What people have said of groups of failures; the newest row of a group counts.",
    "scene_blobs": "Scenes in pieces, if they are kept in the store.",
    "otel_traces_trace_id_ts": "Start and end of each trace, to find its spans quickly.",
    "otel_traces_red_1m": "Rate, errors and duration of spans by minute. Read its states with `...Merge`.",
    "otel_metrics_gauge": "Gauges.",
    "otel_metrics_sum": "Counters.",
    "otel_metrics_histogram": "Histograms.",
    "otel_metrics_exponential_histogram": "Histograms with exponential buckets.",
    "otel_metrics_summary": "Summaries.",
}

Heading = Callable[[int, str], str]


def main() -> int:
    """Exit status 1 if `--check` finds a page that differs."""
    pages = {
        REFERENCE / "commands.md": _page("Commands", commands()),
        REFERENCE / "settings.md": _with_generated(REFERENCE / "settings.md", markdown_table()),
        REFERENCE / "recording.md": _with_generated(REFERENCE / "recording.md", recording_table()),
        REFERENCE / "tables.md": _with_generated(REFERENCE / "tables.md", "\n".join(tables())),
        REFERENCE / "python-api.md": _page("Python API", python_api()),
    }
    if "--check" not in sys.argv[1:]:
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not what the code says; run: make reference", file=sys.stderr)
    return 1 if stale else 0


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", MARK, "", *lines]).rstrip() + "\n"


def _with_generated(path: Path, text: str) -> str:
    """The page with everything below the mark made anew."""
    before, mark, _ = path.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{path} has no line {MARK}")
    return f"{before}{MARK}\n\n{text.strip()}\n"


def commands() -> Iterator[str]:
    """Each command as its `--help` describes it."""
    yield "Exit status: 0 done, 1 failed, 2 wrong usage, 3 server or store unreachable, 4 refused."
    yield ""
    for title, group in GROUPS.items():
        yield f"## {title}"
        yield ""
        for name in group:
            context = click.Context(cli, info_name="relive")
            command = cli.get_command(context, name)
            assert command is not None, name
            yield from _command(command, click.Context(command, info_name=name, parent=context), 3)
    yield "## Options before the command"
    yield ""
    yield from _options(cli.params, click.Context(cli, info_name="relive"))


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}"
    yield ""
    pieces = command.collect_usage_pieces(context)
    yield f"    {' '.join(filter(None, [context.command_path, *pieces]))}"
    yield ""
    yield from _help(command.help or "")
    yield from _options(command.params, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                inner_context = click.Context(inner, info_name=name, parent=context)
                yield from _command(inner, inner_context, level + 1)


def _help(text: str) -> Iterator[str]:
    """Paragraphs; those that click is told not to wrap are examples."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            yield from (f"    {line.strip()}" for line in lines[1:])
        else:
            yield _escape(" ".join(line.strip() for line in lines))
        yield ""


def _options(params: list[click.Parameter], context: click.Context) -> Iterator[str]:
    rows = []
    for param in params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None and "--help" not in param.opts:
            rows.append(f"| `{record[0].replace('|', chr(92) + '|')}` | {_cell(record[1])} |")
    if rows:
        yield from ("| option | |", "| --- | --- |", *rows, "")


def tables() -> Iterator[str]:
    """Each table with the columns that all migrations together give it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for migration in load_migrations():
        for statement in migration.statements:
            created = re.match(r"CREATE TABLE IF NOT EXISTS (\w+)\s*\((.*?)\n\)", statement, re.DOTALL)
            if created:
                found[created.group(1)] = list(_columns(created.group(2)))
            altered = re.match(r"ALTER TABLE (\w+)", statement)
            if altered:
                added = "\n".join(re.findall(r"ADD COLUMN IF NOT EXISTS (.*)", statement))
                found.setdefault(altered.group(1), []).extend(_columns(added))
            view = re.match(r"CREATE VIEW IF NOT EXISTS (\w+) AS\s+SELECT\s(.*?)\nFROM", statement, re.DOTALL)
            if view:
                parts = [part.strip().rpartition(" AS ") for part in view.group(2).split(",\n")]
                found[view.group(1)] = [(name, expression or name) for expression, _, name in parts]
    unknown = found.keys() ^ TABLES.keys()
    if unknown:
        raise SystemExit(f"say what these tables are, in TABLES of {Path(__file__).name}: {sorted(unknown)}")
    for name, text in TABLES.items():
        yield from (f"## {name}", "", text, "", "| column | type |", "| --- | --- |")
        yield from (f"| `{column}` | {_cell(kind)} |" for column, kind in found[name])
        yield ""


def _columns(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = re.match(r"`?([A-Za-z][\w.]*)`? (.+?)(?: CODEC\(.*)?,?;?$", line.strip())
        if match and match.group(1) != "INDEX":
            yield match.group(1), match.group(2)


def python_api() -> Iterator[str]:
    """Signatures and docstrings of what other people's code may import."""
    yield "What is not on this page is internal and may change: see [what stays stable](stability.md)."
    yield ""
    for module_name, (purpose, names) in API.items():
        module = importlib.import_module(module_name)
        yield from (f"## {module_name}", "", purpose, "")
        for name in names or module.__all__:
            yield from _entry(name, getattr(module, name))


def _entry(name: str, value: Any) -> Iterator[str]:
    yield from (f"### {name}", "")
    kind = "class " if inspect.isclass(value) else "def "
    signature = _signature(value)
    yield from ("```python", f"{kind}{name}{signature}", "```", "")
    yield from _docstring(value)
    if not inspect.isclass(value) or issubclass(value, Exception):
        return
    for method, function in vars(value).items():
        if not method.startswith("_") and inspect.isfunction(function):
            yield from (f"#### {name}.{method}", "")
            yield from ("```python", f"def {method}{_signature(function)}", "```", "")
            yield from _docstring(function)


def _docstring(value: Any) -> Iterator[str]:
    text = inspect.getdoc(value)
    if not text:
        raise SystemExit(f"{value} is public and has no docstring")
    yield _escape(text)
    yield ""


def _signature(value: Any) -> str:
    try:
        shown = str(inspect.signature(value))
    except ValueError:
        return ""
    shown = re.sub(r"(: |-> )'([^']+)'", r"\1\2", shown).replace("<factory>", "...")
    parameters = shown.removeprefix("(").rpartition(")")[0]
    if len(shown) < 90 or not parameters:
        return shown
    names = ",\n".join(f"    {part}" for part in re.split(r", (?![^\[(]*[\])])", parameters))
    return f"(\n{names},\n){shown.rpartition(')')[2]}"


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return _escape(" ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main())
