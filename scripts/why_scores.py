"""How often `why` names the right line in the functions of its sets: `why_scores.py [-v] [--mark] [SET.txt]`.

`--mark` writes into the sets how each was found: the tests expect no less.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "integration" / "travel")]

from relive_runtime.travel.causes.statements import Statements  # noqa: E402
from test_why import look  # noqa: E402
from travel_harness import in_a_worker  # noqa: E402
from wrong_value_sets import Case, cases, sets  # noqa: E402


def named(case: Case, folder: Path) -> tuple[str, str]:
    """How it is found ("first", "beside", "missed"), and what is said."""
    file = folder / "application.py"
    file.write_text(case.text)
    try:
        lines, text = in_a_worker(file, "handler", look, case.event, timeout_s=10.0)
    except AssertionError as error:
        return "missed", f"it did not fail, or could not be followed: {error}"
    statements = Statements(case.text)
    right = [statements.statement(line) is statements.statement(case.arose) for line in lines]
    return "first" if right[:1] == [True] else "beside" if any(right) else "missed", text


def marked(path: Path, found: dict[str, str]) -> str:
    """The set with how each was found."""

    def head(match: re.Match[str]) -> str:
        how = found[f"{path.stem}_{match[1]}"]
        return f"### {match[1]}" + ("" if how == "first" else f": {how}")

    return re.sub(r"^### (\w+)(?:: \w+)?$", head, path.read_text(), flags=re.MULTILINE)


def main() -> None:
    """Print the score of each set, and what was missed."""
    flags = {word for word in sys.argv[1:] if word.startswith("-")}
    for path in [Path(word) for word in sys.argv[1:] if word not in flags] or sets():
        found: dict[str, str] = {}
        for case in cases(path):
            with tempfile.TemporaryDirectory() as folder:
                found[case.name], text = named(case, Path(folder))
            if "-v" in flags and found[case.name] != "first":
                print(f"{case.name}: {found[case.name]}, it is line {case.arose}")
                print("\n".join(f"    {row}" for row in text.splitlines()))
        if "--mark" in flags:
            path.write_text(marked(path, found))
        counts = Counter(found.values())
        print(
            f"{path.stem}: {counts['first']} of {len(found)} first, {counts['beside']} beside others",
            flush=True,
        )


if __name__ == "__main__":
    main()
