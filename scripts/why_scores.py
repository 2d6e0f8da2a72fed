"""How often `why` names the right line in the functions of its test sets: `why_scores.py [-v] [SET.txt]`."""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "integration" / "travel")]

from test_why import SETS, Case, cases, look  # noqa: E402
from travel_harness import in_a_worker  # noqa: E402


def named(case: Case, folder: Path) -> tuple[int | None, str]:
    """The line that it names, and what it says."""
    file = folder / "application.py"
    file.write_text(case.text)
    event = ast.literal_eval(re.split(r"^EVENT = ", case.text, flags=re.MULTILINE)[1])
    try:
        line, text = in_a_worker(file, "handler", look, event)
    except AssertionError as error:
        return None, f"it did not fail, or could not be followed: {error}"
    return line, text


def main() -> None:
    """Print the score of each set, and what was missed."""
    verbose = "-v" in sys.argv[1:]
    for path in [Path(name) for name in sys.argv[1:] if name != "-v"] or SETS:
        found, named_too, total = 0, 0, 0
        for case in cases(path):
            with tempfile.TemporaryDirectory() as folder:
                line, text = named(case, Path(folder))
            total += 1
            found += line == case.arose
            named_too += f"  {case.arose}  " in "".join(re.findall(r"or at step [0-9]+(  [0-9]+  )\n", text))
            if line != case.arose:
                print(f"{case.name}: line {line} instead of {case.arose}")
                if verbose:
                    print("\n".join(f"    {row}" for row in text.splitlines()))
        print(f"{path.stem}: {found} of {total}, and {named_too} beside another line")


if __name__ == "__main__":
    main()
