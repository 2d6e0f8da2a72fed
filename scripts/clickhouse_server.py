"""Run a real ClickHouse server on loopback: `python scripts/clickhouse_server.py --port 9000 --path
DIRECTORY`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from clickhouse_server import serve  # type: ignore[import-not-found]

__all__ = ["main"]


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--path", type=Path, required=True)
    options = parser.parse_args()
    options.path.mkdir(parents=True, exist_ok=True)
    print(f"clickhouse://default@127.0.0.1:{options.port}/default (Ctrl-C stops it)", flush=True)
    return int(serve(options.path.absolute(), options.port))


if __name__ == "__main__":
    sys.exit(main())
