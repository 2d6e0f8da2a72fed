"""Two servers in one consumer group of Kafka. One of them leaves and comes back under load, killed or in
order, so that partitions move between them; what the producer was told is compared with what they saw.

    python tests/support/pull_group.py [ROUNDS] [SEED] [--kafka-libs FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from pull_kills import SETTLE_S, PullKills
from pull_producers import KafkaProducer
from pull_servers import running


class Grouped(KafkaProducer):
    """Whose trigger names the group."""

    @property
    def trigger(self) -> dict[str, Any]:
        return {**super().trigger, "group": "both"}


class Member(PullKills):
    """One of the servers, in a home of its own."""

    def wait_for_more(self) -> int:
        """Until its function has seen something more."""
        before = len(self.lines())
        deadline = time.monotonic() + SETTLE_S
        while len(self.lines()) <= before:
            assert time.monotonic() < deadline, f"nothing flows to {self._folder.name}"
            time.sleep(0.01)
        return len(self.lines()) - before


def run(rounds: int, seed: int, **more: Any) -> tuple[int, list[str], int, int]:
    """Records told, those that nobody has seen, those that both have, and rounds."""
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="relive-pull-group-", dir="/var/tmp"))
    with running(Grouped.server_kind(**more)) as server:
        producer = Grouped(server)
        members = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            members.append(Member(folder / name, producer, seed))
        first, second = members
        try:
            for member in members:
                member.start()
                member.deploy()
            first.begin()
            for number in range(rounds):
                first.wait_for_more()
                leaves, stays = (first, second) if chance.random() < 0.5 else (second, first)
                if chance.random() < 0.5:
                    leaves.kill()
                else:
                    leaves.stop()
                stays.wait_for_more()  # its partitions, and in the end those of the other
                leaves.start()
                leaves.wait_for_more()
                stays.wait_for_more()
                print(f"round {number + 1}", file=sys.stderr, flush=True)
            first.finish()
            deadline = time.monotonic() + SETTLE_S
            while time.monotonic() < deadline:
                seen = [{line.partition(" ")[2] for line in member.lines()} for member in members]
                if first.told <= seen[0] | seen[1]:
                    break
                time.sleep(0.2)
        finally:
            for member in members:
                member.finish()
                member.stop()
    missing = sorted(first.told - seen[0] - seen[1])
    if not missing:
        shutil.rmtree(folder, ignore_errors=True)
    return len(first.told), missing, len(seen[0] & seen[1]), rounds


def main() -> int:
    """Print what came of it; 1 if anything is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rounds", type=int, nargs="?", default=10)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--kafka-libs", default="", help="a folder with the jars of Apache Kafka")
    options = parser.parse_args()
    more = {"libs": options.kafka_libs} if options.kafka_libs else {}
    told, missing, both, rounds = run(options.rounds, options.seed, **more)
    print(f"{rounds} rounds, {told} records told, {len(missing)} missing, {both} seen by both")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
