"""`make fuzz`: look for scenes that make their reader fail, guided by coverage. Runs until it is stopped.

    make fuzz FUZZ_SECONDS=600

An input is one byte that chooses a member of a whole scene, and the bytes to put in its place; where the
first byte is 255, the rest seeds `scene_views.mutated`. Needs atheris: pip install atheris.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import zipfile
from pathlib import Path

import atheris

SUPPORT = Path(__file__).resolve().parents[1] / "support"
sys.path.insert(0, str(SUPPORT))

with atheris.instrument_imports(include=["relive_capture.explore", "relive_tui", "relive_base"]):
    from relive_capture.explore.errors import SceneError
    from scene_views import look_at_everything, mutated, zipped
    from whole_scene import write_whole_scene

SEEDED = 255


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene = write_whole_scene(Path(folder)).read_bytes()
        with zipfile.ZipFile(io.BytesIO(scene)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, data in enumerate(members.values()):
            (corpus / str(number)).write_bytes(bytes([number]) + data)
        (corpus / "seeded").write_bytes(bytes([SEEDED]) + b"12345678")

        def one(data: bytes) -> None:
            if not data:
                return
            if data[0] == SEEDED:
                changed = mutated(scene, random.Random(data[1:]))
            else:
                name = list(members)[data[0] % len(members)]
                changed = zipped({**members, name: data[1:]})
            try:
                look_at_everything(changed)
            except SceneError:
                pass

        atheris.Setup([*sys.argv, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
