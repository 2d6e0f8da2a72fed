"""Doing something right after the function has imported a module, and never before."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_base.unseen import UNSEEN

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = (
        object  # importlib.abc imports `tempfile` and others: a sixth of what the recorder takes to import
    )

__all__ = ["Patch", "later", "standard", "when_imported"]

Patch = Callable[[ModuleType], None]


def when_imported(patches: Mapping[str, Patch]) -> Callable[[], None]:
    """Call each patch with its module: now if it is imported already, else when it is.

    A patch that fails leaves the module as it is: an unknown version of a library is not recorded. A module
    that is only looked for, or whose import fails, is waited for as before. What is given back stops the
    waiting.
    """
    waiting: dict[str, Patch] = {}
    for name, patch in patches.items():
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            _apply(patch, module)
        else:
            waiting[name] = patch
    finder = _Finder(waiting)
    if waiting:
        sys.meta_path.insert(0, finder)

    def stop() -> None:
        waiting.clear()
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)

    return stop


def later(package: str, name: str, apply: Callable[[Any, ModuleType], None]) -> Patch:
    """A patch whose own module, `name` in `package`, is imported only with what it patches; `apply` gets
    both."""

    def patch(module: ModuleType) -> None:
        apply(importlib.import_module(f"{package}.{name}"), module)

    return patch


def standard(patch: Patch) -> Patch:
    """The patch, for modules of the standard library alone: a function's own may have the same name, and
    are not even looked into."""
    library = os.path.dirname(os.__file__) + os.sep

    def checked(module: ModuleType) -> None:
        if str(ModuleType.__getattribute__(module, "__dict__").get("__file__")).startswith(library):
            patch(module)

    return checked


def _apply(patch: Patch, module: ModuleType) -> None:
    try:
        patch(module)
    except Exception:  # the import is the function's, and has worked
        return


class _Finder:
    """Finds nothing by itself: it asks the finders behind it and puts its loader before theirs."""

    def __init__(self, waiting: dict[str, Patch]) -> None:
        self._waiting = waiting

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._waiting:
            return None
        finders = list(sys.meta_path)
        for finder in finders[finders.index(self) + 1 if self in finders else 0 :]:
            find = getattr(finder, "find_spec", None)
            with UNSEEN:
                spec = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, fullname, self._waiting)
                return spec  # type: ignore[no-any-return]
        return None


class _Loader(Loader):
    """The module's own loader, and the patch after it. The module never sees this one."""

    def __init__(self, own: Loader, name: str, waiting: dict[str, Patch]) -> None:
        self._own = own
        self._name = name
        self._waiting = waiting

    def __getattr__(self, name: str) -> Any:
        """For who looks for the module alone: its source, its data."""
        with UNSEEN:
            return getattr(self._own, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        with UNSEEN:
            return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        with UNSEEN:
            self._own.exec_module(module)
        patch = self._waiting.pop(self._name, None)
        if patch is not None:
            _apply(patch, module)
