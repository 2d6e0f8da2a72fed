"""How many failures that come of what was read from a database are had again once every server is gone."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from database_calls import fill  # noqa: E402
from database_corpus import FUNCTIONS, deploy, fail  # noqa: E402
from database_servers import MariaDb  # noqa: E402
from mongo_calls import fill as fill_mongo  # noqa: E402
from mongo_corpus import FUNCTIONS as MONGO_FUNCTIONS  # noqa: E402
from mongo_corpus import deploy as deploy_mongo  # noqa: E402
from mongo_corpus import fail as fail_mongo  # noqa: E402
from mongo_server import Mongo  # noqa: E402
from pull_servers import Postgres, running  # noqa: E402
from relive_capture.explore.scene import read_scene  # noqa: E402
from relive_cli import relive_home  # noqa: E402
from relive_platform.replay import ReplayOptions, replay  # noqa: E402

__all__ = ["run"]

LEAST_PERCENT = 95.0


def run(quick: bool = False) -> list[dict[str, Any]]:
    """The share of functions whose replay is the same failure, with all recorded calls used, none missing."""
    names = FUNCTIONS[:: 4 if quick else 1]
    of_mongo = MONGO_FUNCTIONS[:: 4 if quick else 1]
    same = 0
    with relive_home() as home, tempfile.TemporaryDirectory() as file:
        home.environment = {"RELIVE_WAITING_WORKERS": "0", "RELIVE_FROZEN_WORKERS": "0"}
        with (
            running(Postgres) as postgres,
            running(MariaDb) as mariadb,
            running(Mongo) as mongo,
            home.serving(),
        ):
            fill_mongo(mongo.url)
            fill({"POSTGRES": postgres.url, "MARIADB": str(mariadb.port), "FILE": f"{file}/shop.db"})
            deploy(home, postgres, mariadb, names)
            deploy_mongo(home, mongo, of_mongo)
            failed = {name: fail(home, name) for name in names}
            failed |= {name: fail_mongo(home, name) for name in of_mongo}
            for invocation_id in failed.values():
                home.scene(invocation_id)
        for name, invocation_id in failed.items():
            found = replay(
                read_scene(home.home / "scenes" / f"{invocation_id}-1.scene"), home.home, ReplayOptions()
            )
            last = found.runs[-1]
            if found.outcome == "same" and not last.calls.missing and not last.calls.unused:
                same += 1
            else:
                print(f"{name}: {found.outcome}: {last.error_type}: {last.message[:200]}", file=sys.stderr)
    share = 100 * same / len(failed)
    return [
        {
            "name": f"failures over databases that repeat with every server down: {same} of {len(failed)}",
            "value": share,
            "unit": "%",
            "target": LEAST_PERCENT,
            "ok": share >= LEAST_PERCENT,
        }
    ]


if __name__ == "__main__":
    print(run("--quick" in sys.argv))
