"""Scenes by HTTP to another Relive, in its inbox, and in a bucket; spans by OTLP."""

from __future__ import annotations

import json
from pathlib import Path

from object_store import object_store
from pull_servers import free_port
from recorded_hosts import run, scenes_in
from relive_cli import Relive, relive_home

JOB = """
import sys
def main(day):
    return {"mon": 1}[day]
main(sys.argv[1])
"""
SCENES = "/_relive/scenes/"


def listed(home: Relive) -> list[dict[str, object]]:
    """What `relive failures` lists."""
    return [json.loads(line) for line in home.run("failures", "--json").stdout.splitlines()]


def test_another_relive_takes_them(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    receiver = f"127.0.0.1:{free_port()}"
    with relive_home() as home, home.serving("--otlp-http", receiver):
        token = (home.home / "run" / "token").read_text().strip()
        # Given a script on another machine that has this one's token, and one that has not
        stranger = run(tmp_path, "relive-record", "--to", home.http, "job.py", "tue", RELIVE_TOKEN="x" * 32)
        assert "answered 401" in stranger.stderr
        friend = run(
            tmp_path,
            "relive-record",
            "--to",
            home.http,
            "job.py",
            "wed",
            RELIVE_TOKEN=token,
            RELIVE_RECORD_OTLP=f"http://{receiver}",
        )
        assert "relive:" not in friend.stderr
        # When its scene comes, I expect it listed by itself
        (row,) = home.eventually(lambda: listed(home))
        assert (row["function"], row["message"]) == ("job", "'wed'")
        # ... and its file to go once it is in the store
        home.eventually(lambda: not list((home.home / "inbox").glob("*.scene")))
        # ... with its span in the trace that the scene names
        trace = home.eventually(lambda: home.run("trace", str(row["trace_id"]), check=False).stdout)
        assert "job" in trace
        # ... and what is no scene refused, as is who has no token
        bearer = {"Authorization": f"Bearer {token}"}
        name = f"{row['invocation_id']}-2.scene"
        assert home.request(SCENES + name, b"PK\x03\x04", {}).status == 401
        assert home.request(SCENES + name, b"#!/bin/sh", bearer).status == 400
        assert home.request(SCENES + "..%2f..%2fx-1.scene", b"PK\x03\x04", bearer).status == 400
        assert home.request(SCENES + name, None, bearer, method="GET").status == 405
        # ... and one that only looks like one set aside
        assert home.request(SCENES + name, b"PK\x03\x04junk", bearer).status == 202
        home.eventually(lambda: (home.home / "inbox" / "refused" / name).exists())
        # When a file is put into the folder, I expect it to come in, too
        run(tmp_path, "relive-record", "--to", str(home.home / "inbox"), "job.py", "thu")
        home.eventually(lambda: len(listed(home)) == 2)


def test_a_bucket_has_them(tmp_path: Path) -> None:
    # Given a bucket of S3, and credentials in the environment
    (tmp_path / "job.py").write_text(JOB)
    with object_store() as store:
        keys = {
            "AWS_ENDPOINT_URL_S3": store.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        ran = run(tmp_path, "relive-record", "--to", "s3://ours/of/jobs", "job.py", "tue", **keys)
        assert "relive:" not in ran.stderr
        (name,) = store.objects
        assert name.startswith("ours/of/jobs/")
        assert b"wJalrXUtnFEMI" not in store.objects[name]
        # When a home imports the bucket, I expect the failure there, and the object gone
        home = Relive(tmp_path / "home", environment=keys)
        told = json.loads(home.run("scene", "import", "s3://ours/of/", "--remove", "--json").stdout)
        assert [row["state"] for row in told["scenes"]] == ["new"]
        assert store.objects == {}
    assert not (tmp_path / "scenes").exists()


def test_a_folder_that_is_full_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    run(tmp_path, "relive-record", "job.py", "tue", RELIVE_RECORD_FOLDER_SCENES="1")
    ran = run(tmp_path, "relive-record", "job.py", "tue", RELIVE_RECORD_FOLDER_SCENES="1")
    assert ran.returncode == 1
    assert "which is its limit" in ran.stderr
    assert len(scenes_in(tmp_path, 1)) == 1
