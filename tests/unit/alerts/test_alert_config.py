"""What `relive.toml` may say of alerts, and where it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from relive_platform.alerts.config import AlertConfig
from relive_platform.registry.application import ConfigError, load

APP = '[app]\nname = "shop"\n[functions.work]\nhandler = "app:work"\n'


def loaded(folder: Path, text: str) -> dict[str, AlertConfig]:
    (folder / "app.py").write_text("def work(event, context): ...\n")
    (folder / "relive.toml").write_text(APP + text)
    return load(folder).alerts


def test_alerts_of_every_kind(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        '[alerts.errors]\nmetric = "error_rate"\nfunction = "work"\nabove = 0.05\nfor = "5m"\nover = "10m"\n'
        '[alerts.queue]\nmetric = "relive.queue.events"\nattributes = { state = "dead" }\nabove = 0\n'
        '[alerts.budget]\nslo = "latency"\nobjective = 0.99\nunder_ms = 300\nperiod = "28d"\n'
        '[alerts.rows]\nsql = "SELECT 1"\nbelow = 1\nevery = "1h"\nwebhook = "https://example.org/x"\n',
    )
    assert {name: config.describe() for name, config in found.items()} == {
        "errors": "error_rate of work above 0.05",
        "queue": "relive.queue.events state=dead above 0",
        "budget": "99 % 300 ms",
        "rows": "SELECT 1 below 1",
    }
    assert (found["errors"].for_s, found["errors"].over_s, found["budget"].period_s) == (
        300,
        600,
        28 * 86_400,
    )
    # ... and the registry keeps them as they are
    for config in found.values():
        assert msgspec.json.decode(msgspec.json.encode(config), type=AlertConfig) == config


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ('metric = "error_rate"', 5, "the alert has no limit"),
        ('metric = "error_rat"\nabove = 1', 6, "there is no metric 'error_rat'"),
        ("above = 1", 5, "nothing to watch"),
        ('metric = "rate"\nsql = "SELECT 1"\nabove = 1', 6, "metric and sql"),
        ('metric = "rate"\nabove = 1\nfor = "soon"', 8, "'soon' is not a duration"),
        ('metric = "rate"\nabove = 1\nevery = "1s"', 8, "1s is out of range"),
        ('metric = "rate"\nabove = 1\nfunction = "other"', 8, "there is no function 'other'"),
        ('metric = "rate"\nabove = 1\nwebhook = "file:///etc/passwd"', 8, "is not the URL of a webhook"),
        (
            'metric = "rate"\nabove = 1\nwebhook = "https://a.example/"\nwebhook_env = "HOOK"',
            9,
            "webhook and webhook_env both name a URL",
        ),
        ('slo = "errors"', 5, "the slo has no objective"),
        ('slo = "latency"\nobjective = 0.9', 5, "under_ms goes with"),
        ('metric = "error_rate"\nabove = 1\nmin_attempts = -1', 8, "min_attempts = -1 is out of range"),
        ('slo = "errors"\nobjective = 0.9\nabove = 1', 8, "burn rates are watched, has no above"),
        ('sql = "SELECT 1"\nabove = 1\nover = "5m"', 8, "a query has no over"),
        ('metric = "relive.queue.age"\nabove = 1\nfunction = "work"', 8, "platform has no function"),
        ('metric = "rate"\nabove = "much"', 7, "above is a text"),
        ('metric = "rate"\nabove = nan', 7, "above is nan, which is no number"),
        ('metric = "rate"\nbelow = -inf', 7, "below is -inf, which is no number"),
        ('metric = "rate"\nabove = 1\nbelow = 3', 8, "every value is above 1 or below 3"),
        ('sql = "DROP TABLE invocations"\nabove = 1', 6, "only queries that read are allowed"),
        ('sql = "SELECT 1; SELECT 2"\nabove = 1', 6, "only one statement"),
        ('sql = " -- nothing"\nabove = 1', 6, "the query is empty"),
        ('metrik = "rate"', 6, "has no key 'metrik'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, table: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"[alerts.x]\n{table}\n")
    problems = [(one.line, one.message) for one in caught.value.problems]
    assert any(found == line and said in message for found, message in problems), problems
