"""Modules of the function's own that bear the name of one that is loaded already: a calendar.py, an email
package, a `utils` that a dependency has, too. The function finds its own; who was first keeps what it had.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import FrozenImporter, ModuleSpec, PathFinder, all_suffixes
from types import ModuleType
from typing import Any, Final

from relive_base.own_code import PACKAGES
from relive_base.unseen import UNSEEN

__all__ = ["give_way", "originals", "own_modules"]

_LIBRARY: Final = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")
_INSTALLED: Final = (f"{_LIBRARY}site-packages/", f"{_LIBRARY}dist-packages/")
_STARTUP: Final = frozenset({"__main__", "encodings", *PACKAGES, *sys.builtin_module_names})
"""Names that no folder on the path can take from the interpreter, or that hold this very code."""

_SHARED: Final = {"opentelemetry": "trace", "msgspec": "structs"}
"""Libraries that see the function's objects for us, and a module of each by which a copy is known: of spans
and values made with a second copy nobody would know."""


class _State:
    """Of this process; sys.modules is one for all, too."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()  # top-level names that mean the function's own
        self.aside: dict[str, Any] = {}  # what these names meant before
        self.depth = 0
        self.lock = threading.RLock()
        self.finder: _Finder | None = None
        os.register_at_fork(after_in_child=self._renew)  # another thread may have held it

    def _renew(self) -> None:
        self.lock = threading.RLock()


_state = _State()


def give_way(folder: str, also_ours: Iterable[str] = (), before: Sequence[str] = ()) -> None:
    """From now on the top-level modules in `folder`, which is on sys.path, are found under their names.

    What is loaded of the same names is set aside for those who have it. Modules of the standard library, and
    those in the folders `also_ours`, go on finding it while they are loaded. What is loaded from the folders
    `before` this one on sys.path stays.
    """
    names = frozenset(name for name in _own_names(folder) if not _is_from(name, before))
    if not names:
        return
    for name, module in _taken(names).items():
        _state.aside.setdefault(name, module)
    _state.names |= names
    if _state.finder is None:
        _state.finder = _Finder(_LIBRARY)
        at = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
        sys.meta_path.insert(at, _state.finder)
    _state.finder.folders += tuple(os.path.join(path, "") for path in also_ours if path)


@contextmanager
def own_modules(folder: str) -> Iterator[None]:
    """`give_way` for a while: at the end all is as it was."""
    before = _state.names, dict(_state.aside), _state.finder
    loaded = dict(sys.modules)
    give_way(folder)
    given = _state.names - before[0]
    try:
        yield
    finally:
        _taken(given)
        sys.modules.update({name: module for name, module in loaded.items() if _top(name) in given})
        if before[2] is None and _state.finder in sys.meta_path:
            sys.meta_path.remove(_state.finder)
        _state.names, _state.aside, _state.finder = before


@contextmanager
def originals() -> Iterator[None]:
    """In this block every name means what it meant before the function came; the standard library is first.

    For our own code, if it imports, or looks into sys.modules, while the function's modules are there.
    """
    state = _state
    if not state.names:
        yield
        return
    with state.lock:
        state.depth += 1
        if state.depth > 1:
            try:
                yield
            finally:
                state.depth -= 1
            return
        theirs, path = _taken(state.names), list(sys.path)
        sys.modules.update(state.aside)
        sys.path.sort(key=_is_elsewhere)
        try:
            yield
        finally:
            state.aside.update(_taken(state.names))
            sys.modules.update(theirs)
            sys.path[:] = path
            state.depth -= 1


def _is_from(name: str, folders: Sequence[str]) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None) if folders else None
    return type(file) is str and any(file.startswith(f"{folder}/") for folder in folders)


def _is_elsewhere(entry: object) -> bool:
    folder = os.path.join(entry, "") if type(entry) is str else ""
    return not folder.startswith(_LIBRARY) or folder.startswith(_INSTALLED)


def _top(name: object) -> str:
    return name.partition(".")[0] if type(name) is str else ""


def _taken(names: frozenset[str]) -> dict[str, Any]:
    """What is loaded of `names`, out of sys.modules."""
    found = {name: module for name, module in list(sys.modules.items()) if _top(name) in names}
    for name in found:
        del sys.modules[name]
    return found


def _own_names(folder: str) -> Iterator[str]:
    """Top-level modules in `folder` whose names somebody else has, or has in the standard library."""
    suffixes = sorted(all_suffixes(), key=len, reverse=True)
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        suffix = next((suffix for suffix in suffixes if entry.name.endswith(suffix)), "")
        name = entry.name.removesuffix(suffix)
        if name in _STARTUP or not (name in sys.modules or name in sys.stdlib_module_names):
            continue
        # A folder without __init__ is found after everybody's modules, as ever.
        package = not suffix and any(os.path.isfile(f"{entry.path}/__init__{end}") for end in suffixes)
        if (suffix or package) and not _stays(name, entry.path) and not _is_in(folder, name):
            yield name


def _stays(name: str, path: str) -> bool:
    known = _SHARED.get(name)
    if known is not None and name in sys.modules:
        return os.path.exists(os.path.join(path, known)) or os.path.exists(os.path.join(path, f"{known}.py"))
    return FrozenImporter.find_spec(name) is not None


def _is_in(folder: str, name: str) -> bool:
    """Whether what is loaded under `name` is the folder's already."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return type(file) is str and file.startswith(os.path.join(folder, ""))


class _Finder:
    """Finds what the finder of paths finds, and has our own and the standard library's modules loaded among
    their likes."""

    def __init__(self, *folders: str) -> None:
        self.folders = folders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if _state.depth or _top(fullname) in _state.names:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        origin = spec.origin if spec is not None else None
        if spec is None or spec.loader is None or type(origin) is not str:
            return spec
        if origin.startswith(self.folders) and not origin.startswith(_INSTALLED):
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """The module's own loader, in a block of `originals`. The module never sees this one."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        with UNSEEN:
            made: ModuleType | None = self._own.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        with originals(), UNSEEN:
            self._own.exec_module(module)
