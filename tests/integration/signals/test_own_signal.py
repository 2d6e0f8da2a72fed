"""A new signal is a message, a class and a line in the table: this one lives in the tests."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from fresh_process import ROOT, in_a_fresh_process

GAUGES = """
SELECT MetricName, Value, Attributes['faas.invocation_id'] FROM otel_metrics_gauge ORDER BY TimeUnix
"""
SOURCE = """
from gauges import gauge

def handler(event, context):
    for number in range(event["count"]):
        gauge(context, event["name"], number / 2)
    if event.get("fails"):
        raise ValueError("the cart is empty")
"""
FUNCTION = '[functions.cart]\nsource = "."\nhandler = "app:handler"\n'


@in_a_fresh_process
def test_a_signal_from_elsewhere_is_taken_redacted_stored_and_counted(tmp_path: Path) -> None:
    # Given a server and a collector's process whose table has one more signal
    from relive_platform.server import server

    from tests.support import gauge_signal

    gauge_signal.register()
    server.spawn = partial(server.spawn, program=[str(gauge_signal.__file__)])
    asyncio.run(_scenario(tmp_path))


async def _scenario(tmp_path: Path) -> None:
    from relive_platform.server.status import status_of

    from tests.support.gauge_signal import LIMIT_BYTES, RECORD_SIDE
    from tests.support.server_harness import served, write_app

    app = write_app(tmp_path / "app", SOURCE, FUNCTION)
    (app / "gauges.py").write_text(RECORD_SIDE)
    async with served(tmp_path / "home") as running:
        await running.deploy(app)

        # When a function sets gauges, one that succeeds and one that fails
        fine = await running.invoke("cart", b'{"count": 2, "name": "items"}')
        bad = await running.invoke("cart", b'{"count": 1, "name": "password=hunter22", "fails": true}')

        # I expect each in the store, without secrets
        assert (fine.record.status, bad.record.status) == ("ok", "error")
        assert await running.rows(GAUGES) == [
            ("items", 0.0, fine.record.invocation_id),
            ("items", 0.5, fine.record.invocation_id),
            ("password=[redacted]", 0.0, bad.record.invocation_id),
        ]

        # ... what is over its limit to be refused and counted
        flood = await running.invoke("cart", b'{"count": 200, "name": "flood"}')
        [[count]] = await running.rows("SELECT count() FROM otel_metrics_gauge WHERE MetricName = 'flood'")
        assert 0 < count < LIMIT_BYTES // 40
        assert flood.record.dropped == 200 - count

        # ... and each stage to have counted what went through it
        stages = (await status_of(running.server))["signals"]
        assert list(stages) == [
            "server",
            "workers",
            "structure",
            "dates",
            "redact",
            "derive",
            "sample",
            "learn",
            "subscriptions",
            "store",
            "scenes",
            "followers",
        ]
        assert stages["workers"]["taken"] >= 3 + count
        assert stages["store"]["taken"] >= 3 + count
        assert stages["scenes"]["taken"] == 1
        assert all(stage["dropped"] == stage["late"] == 0 for stage in stages.values())


sys.path[:0] = [str(ROOT)]
