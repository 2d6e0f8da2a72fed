"""What of an environment others can read."""

from __future__ import annotations

import os
import subprocess
import sys

from relive_base.environment import child_environment, secret_names

GIVEN = {
    "PATH": "/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PYTHONPATH": "/x",
    "PWD": "/work",
    "RELIVE_TOKEN": "a-token-of-ours",
    "RELIVE_STORE": "clickhouse://me:secret@db:9000/relive",
    "RELIVE_OTLP_HEADERS": "authorization=Bearer abc",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Bearer abc",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DB_PASSWORD": "secret",
}


def test_a_helper_gets_what_it_needs_to_run_and_no_secret() -> None:
    assert child_environment(GIVEN) == {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": "/x",
    }


def test_secrets_are_told_by_their_names() -> None:
    assert set(secret_names(GIVEN)) == set(GIVEN) - {"PATH", "HOME", "LC_ALL", "PYTHONPATH", "PWD"}


def test_hidden_secrets_are_gone_from_proc_and_still_known_to_the_process() -> None:
    # Given a process with a secret in its environment
    code = (
        "import os; from relive_base.environment import hide_secrets; count = hide_secrets();"
        "print(count, open('/proc/self/environ').read().count('ver-y-secret'), os.environ['RELIVE_TOKEN'])"
    )
    # When it hides what is secret
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**child_environment(os.environ), "RELIVE_TOKEN": "ver-y-secret"},
        capture_output=True,
        text=True,
        check=True,
    )
    # I expect nothing to be left of it outside
    assert done.stdout.split() == ["1", "0", "ver-y-secret"]
