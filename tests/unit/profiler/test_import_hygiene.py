from __future__ import annotations

import json
import subprocess
import sys
import sysconfig

CODE = """
import sys, json
import relive_profiler.record
relive_profiler.record.preload()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_record_side_imports_the_standard_library_and_msgspec_only():
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True, timeout=60)
    plain = subprocess.run(
        [sys.executable, "-c", "import sys, json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    allowed = set(sys.stdlib_module_names) | {
        "msgspec",
        "typing_extensions",
        "relive_base",
        "relive_profiler",
    }
    allowed |= {name.partition(".")[0] for name in json.loads(plain.stdout)}  # what an interpreter has anyway
    allowed.add(sysconfig._get_sysconfigdata_name())  # type: ignore[attr-defined]
    found = set(json.loads(result.stdout))
    assert found - allowed == set()
    assert "asyncio" not in found
