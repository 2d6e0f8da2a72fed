"""Which sentences `why` may say of a line: of a handler that runs here, under a recorder."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.proofs import Proofs
from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.causes.running import Running

__all__ = ["holds"]

_HERE = "# here"


def holds(folder: Path, feature: str, body: str, before: str = "") -> bool:
    """Of the line with the comment `# here` in the body of a handler; `before`: what stands above it."""
    handler = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    source = f"{textwrap.dedent(before)}\n\ndef handler():\n{handler}\n    raise TypeError('at last')\n"
    file = folder / "application.py"
    file.write_text(source)
    line = next(number for number, text in enumerate(source.splitlines(), 1) if text.endswith(_HERE))
    names: dict[str, Any] = {"__name__": "application"}
    exec(compile(source, str(file), "exec"), names)  # noqa: S102 - the source is the test's
    journal = _recorded(names["handler"], str(file))
    statement = journal.source(names["handler"].__code__).statement(line)
    assert statement is not None
    last = len(journal) - 1
    following = Following(journal)
    return Proofs(Running(following, Choices(journal), last)).holds(feature, statement)


def _recorded(handler: Callable[[], Any], file: str) -> Journal:
    journal = Journal()
    recorder = Recorder(journal, -1, lambda path: path == file, lambda: None, lambda: None)
    traced = sys.gettrace()
    sys.settrace(recorder.trace)
    try:
        handler()
    except TypeError as error:
        assert str(error) == "at last", error  # noqa: PT017 - another one is one of the test's own
    finally:
        sys.settrace(traced)
    return journal
