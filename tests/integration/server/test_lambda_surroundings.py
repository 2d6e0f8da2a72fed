"""What code from AWS Lambda finds around it, and modules of every kind."""

from __future__ import annotations

import json
import os
import py_compile
import re
import sys
from pathlib import Path

from server_harness import served

CODE = """\
import os, time, sys
import gemeinsam.größe as größe

def handler(event, context):
    names = [
        "AWS_REGION", "AWS_DEFAULT_REGION", "TZ", "_X_AMZN_TRACE_ID", "_HANDLER", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_STREAM_NAME",
    ]
    print("\\r 50%", end="", file=sys.stderr)
    print("\\r100%", file=sys.stderr)
    return {**{name: os.environ.get(name) for name in names}, "trace": context.trace_id,
            "stream": context.log_stream_name,
            "offset": time.localtime(0).tm_hour, "shared": größe.WERT}
"""
APP = """\
[app]
name = "umgebung"
[functions.plain]
source = "plain"
max_workers = 1
handler = "日本語.handler"
[functions.compiled]
source = "compiled"
handler = "my-module.handler"
environment = { AWS_REGION = "eu-central-1", TZ = "Asia/Tokyo" }
"""


def application(root: Path) -> Path:
    """Two functions that share a folder by a link; one is there as compiled code alone."""
    for folder in ("plain", "compiled", "gemeinsam"):
        (root / folder).mkdir(parents=True)
    (root / "relive.toml").write_text(APP)
    (root / "gemeinsam" / "größe.py").write_text("WERT = 42\n")
    (root / "plain" / "日本語.py").write_text(CODE)
    source = root / "my-module.py"
    source.write_text(CODE)
    py_compile.compile(str(source), str(root / "compiled" / "my-module.pyc"), doraise=True)
    for folder in ("plain", "compiled"):
        os.symlink("../gemeinsam", root / folder / "gemeinsam")
    return root


async def test_lambdas_variables_shared_folders_and_modules_of_any_name(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(application(tmp_path / "app"))

        # When each is invoked, one of them twice
        outcomes = [await running.invoke(name, b"{}") for name in ("plain", "plain", "compiled")]
        first, second, compiled = (json.loads(outcome.body) for outcome in outcomes)

        # I expect Lambda's variables, with the trace of each invocation
        for outcome, answer in zip(outcomes, (first, second, compiled), strict=True):
            trace, span = outcome.record.trace_id, outcome.record.span_id
            assert answer["_X_AMZN_TRACE_ID"] == f"Root=1-{trace[:8]}-{trace[8:]};Parent={span};Sampled=1"
            assert answer["trace"] == trace
            assert answer["shared"] == 42
        assert first["_X_AMZN_TRACE_ID"] != second["_X_AMZN_TRACE_ID"]
        assert (first["AWS_REGION"], first["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
        assert (first["TZ"], first["offset"]) == (":UTC", 0)
        assert first["_HANDLER"] == "日本語.handler"
        assert first["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}"
        # ... the same log stream in both places, one for each worker, as Lambda writes it
        form = r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}"
        for answer in (first, second, compiled):
            assert re.fullmatch(form, answer["AWS_LAMBDA_LOG_STREAM_NAME"])
            assert answer["stream"] == answer["AWS_LAMBDA_LOG_STREAM_NAME"]
        assert first["stream"] == second["stream"] != compiled["stream"]
        # ... relive.toml's own, where it has some
        assert (compiled["AWS_REGION"], compiled["AWS_DEFAULT_REGION"]) == ("eu-central-1", "eu-central-1")
        assert (compiled["TZ"], compiled["offset"]) == ("Asia/Tokyo", 9)
        # ... and the bar's last state in the log
        rows = await running.rows("SELECT Body FROM otel_logs WHERE ServiceName = 'compiled'")
        assert ("100%",) in rows
        assert not any("\r" in body for (body,) in rows)
