"""Build the website from docs/ and the pages at the root (README.md and others): build/site/index.html.

A link that leads nowhere is an error. Nothing is fetched from the network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "docs"
AT_ROOT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
LINK = re.compile(r"(\]\()([^)\s]+)")


def main() -> int:
    """The exit status of the generator."""
    collect()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", "zensical.toml"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def collect() -> None:
    """Copy all pages into one tree, in which docs/ and the root of the repository are the same folder."""
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(ROOT / "docs", TARGET)
    for page in TARGET.rglob("*.md"):
        depth = len(page.relative_to(TARGET).parts) - 1
        _rewrite(page, page, "../" * (depth + 1), "../" * depth)
    for name, new_name in AT_ROOT.items():
        _rewrite(ROOT / name, TARGET / new_name, "docs/", "")


def _rewrite(source: Path, target: Path, prefix: str, replacement: str) -> None:
    """Write `source` to `target`, with links that begin with `prefix` led to their new place."""

    def lead(match: re.Match[str]) -> str:
        link = match.group(2)
        if link.startswith(prefix):
            path, mark, anchor = link.removeprefix(prefix).partition("#")
            link = replacement + AT_ROOT.get(path, path) + mark + anchor
        return match.group(1) + link

    target.write_text(LINK.sub(lead, source.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
