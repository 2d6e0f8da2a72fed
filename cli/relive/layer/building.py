"""The recorder as a layer of AWS Lambda, or as a folder for PYTHONPATH anywhere else."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uv
from relive_base.errors import ReliveError
from relive_base.scratch import scratch_folder
from relive_base.terminal import title_line
from relive_capture.explore.scene import write_archive

from relive.layer.closure import modules_needed, own_modules
from relive.layer.folder import write_folder

__all__ = ["LayerError", "LayerFile", "build_layer", "write_layer"]

_FIRST: Final = ("relive", "relive.recording")
_ROOM: Final = "relive_outside"
_WRAPPER: Final = "relive-record"
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_INSTALL_S: Final = 300.0
_PLATFORMS: Final = {"x86_64": "x86_64-manylinux2014", "arm64": "aarch64-manylinux2014"}
_SCRIPT: Final = (Path(__file__).parent / _WRAPPER).with_suffix(".sh")


class LayerError(ReliveError):
    """The layer cannot be made."""


@dataclass(frozen=True, slots=True)
class LayerFile:
    """What is in it: bytes by path, sizes of Relive's part and of all."""

    files: dict[str, bytes]
    own_bytes: int
    total_bytes: int


def build_layer(python: str = "", architecture: str = "x86_64", prefix: str = "python/") -> LayerFile:
    """`python`: "3.12"; "" means this one. `prefix`: where modules lie in it. Raises LayerError."""
    version = python or f"{sys.version_info[0]}.{sys.version_info[1]}"
    if architecture not in _PLATFORMS:
        raise LayerError(
            f"{architecture!r} is no architecture of AWS Lambda", hint=f"one of {', '.join(_PLATFORMS)}"
        )
    needed = modules_needed([*_FIRST, *own_modules(_ROOM)])
    files = {f"{prefix}{_path(name, file)}": file.read_bytes() for name, file in needed.items()}
    own = sum(map(len, files.values()))
    files |= {f"{prefix}{name}": data for name, data in _msgspec(version, architecture).items()}
    files[_WRAPPER] = _SCRIPT.read_bytes()
    return LayerFile(files, own, sum(map(len, files.values())))


def _path(name: str, file: Path) -> str:
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"


def _msgspec(version: str, architecture: str) -> dict[str, bytes]:
    """The one library that is needed, for that Python and machine."""
    import msgspec

    with scratch_folder("layer") as scratch:
        folder = str(scratch)
        command = [
            uv.find_uv_bin(), "pip", "install", "--target", folder, "--no-deps", "--only-binary", ":all:",
            "--python-version", version, "--python-platform", _PLATFORMS[architecture], "--quiet",
            f"msgspec=={msgspec.__version__}",
        ]  # fmt: skip
        try:
            ran = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LayerError(f"msgspec cannot be fetched: {type(error).__name__}") from error
        if ran.returncode:
            raise LayerError(
                f"msgspec cannot be fetched for Python {version}: {title_line(ran.stderr, 500)}",
                hint="check the network and the version: relive layer build --python 3.12",
            )
        root = Path(folder)
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and _is_wanted(path)
        }


def _is_wanted(path: Path) -> bool:
    return (
        path.suffix not in (".pyc", ".pyi", ".lock")
        and "__pycache__" not in path.parts
        and path.name[0] != "."
    )


def write_layer(files: Mapping[str, bytes], target: Path) -> int:
    """A zip, or a folder if the name does not end in .zip; the same files give the same bytes. Gives the
    bytes written. Raises OSError, UsageError."""
    if target.suffix != ".zip":
        write_folder(files, target, _WRAPPER)
        return sum(map(len, files.values()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (0o755 if name == _WRAPPER or name.endswith(".so") else 0o644) << 16
            archive.writestr(info, files[name])
    write_archive(target, buffer.getvalue())
    target.chmod(0o644)
    return target.stat().st_size
