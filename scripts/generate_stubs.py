"""Generate the gRPC stubs from the .proto, or check that the committed ones are current (`--check`)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "platform"
PROTO = Path("relive_platform/api/control.proto")
OUTPUTS = ("control_pb2.py", "control_pb2.pyi", "control_pb2_grpc.py")


def generate(target: Path) -> None:
    """Write the stubs below `target`; the package path is kept, so that imports are absolute."""
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{SOURCE}",
            f"-I{well_known}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--grpc_python_out={target}",
            str(PROTO),
        ]
    )
    if code != 0:
        raise SystemExit(f"generate_stubs: protoc ended with {code}")


def main() -> int:
    """Exit status 1 where `--check` finds a stub that differs."""
    if "--check" not in sys.argv[1:]:
        generate(SOURCE)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = [
            name
            for name in OUTPUTS
            if (Path(folder) / PROTO.parent / name).read_text() != (SOURCE / PROTO.parent / name).read_text()
        ]
    for name in stale:
        print(f"{name} does not match {PROTO}; run: make proto", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
