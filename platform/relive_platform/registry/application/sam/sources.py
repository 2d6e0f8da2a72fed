"""Where the code of a template's functions is: folders, zips, text in the template, layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from relive_platform.registry.application.places import reach
from relive_platform.registry.application.sam.intrinsics import Evaluator, as_text
from relive_platform.registry.application.sam.names import LAYER_MARK, MANAGED, resource_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.runtime_packages import package_of_layer, runtime_packages
from relive_platform.registry.application.sam.tables import FunctionTable
from relive_platform.registry.application.sam.yaml_text import Map

__all__ = ["Sources"]

_IN_S3: Final = ("s3://", "http://", "https://")
_S3_HINT: Final = "name its folder beside the template"


class Sources:
    """Reads `CodeUri`, `Code`, `InlineCode` and `Layers`. `folder`: the template's."""

    def __init__(self, evaluator: Evaluator, notes: Notes, resources: Map, folder: Path) -> None:
        self._evaluator = evaluator
        self._notes = notes
        self._resources = resources
        self._folder = folder

    def code(self, table: FunctionTable, value: Any, at: Place) -> None:
        """`CodeUri` of SAM, `Code` of CloudFormation."""
        if isinstance(value, Map) and "ZipFile" in value:
            self.inline(table, value["ZipFile"], at.below(value, "ZipFile"))
        elif isinstance(value, Map) or as_text(value).startswith(_IN_S3):
            self._notes.wrong(at, "the code is not on this machine, but in S3", _S3_HINT)
        else:
            text = as_text(value).rstrip("/") or "."
            if text.endswith(".py") and reach(self._folder, text)[0].is_file():  # SAM packs the one file
                text = str(Path(text).parent)
            table.put("source", text, at.line)

    def inline(self, table: FunctionTable, value: Any, at: Place) -> None:
        """Code in the template; it wins over a CodeUri, as Globals may have one."""
        table.values.pop("source", None)
        table.put("code", as_text(value), at.line)

    def managed(self, name: str) -> str:
        """The type, of Relive's, of the template's resource that Relive keeps under this name; "" if none."""
        for logical, resource in self._resources.items():
            kind = MANAGED.get(str(resource.get("Type", "")) if isinstance(resource, Map) else "", "")
            if kind and resource_name(self._evaluator.physical(logical)) == name:
                return kind
        return ""

    def complete(self, table: FunctionTable) -> None:
        """What Lambda's runtime has, once the code is known."""
        if "code" in table.values:
            table.values.pop("source", None)
        source = self._own(table.values.get("source", "."))
        layers = [
            folder for layer in table.values.get("layers", ()) if (folder := self._own(layer)) is not None
        ]
        for package in runtime_packages(source, table.values.get("code", ""), layers):
            self._add_package(table, package, table.line)

    def _own(self, path: object) -> Path | None:
        """A folder of the application's; None for one that is not in it."""
        found, reason = reach(self._folder, str(path))
        return found if not reason and found.is_relative_to(self._folder.resolve()) else None

    def layers(self, table: FunctionTable, value: Any, at: Place) -> None:
        """Those of this template are folders; well-known ones of others are packages."""
        for index, layer in enumerate(value if isinstance(value, list) else ()):
            where = at.below(value, index)
            text = as_text(layer)
            if text.startswith(LAYER_MARK):
                self._own_layer(table, text.removeprefix(LAYER_MARK), where)
            elif package := package_of_layer(text):
                self._notes.ignore(where, f"for the layer, {package} is installed", describes=True)
                self._add_package(table, package, where.line)
            else:
                hint = "put what it has into requirements.txt"
                self._notes.ignore(where, f"the layer {text} is not here", hint)

    def _own_layer(self, table: FunctionTable, logical: str, at: Place) -> None:
        resource = self._resources[logical]
        properties = resource.get("Properties") if isinstance(resource, Map) else None
        place = Place(f"Resources.{logical}.Properties", self._resources.line_of(logical))
        if not isinstance(properties, Map):
            properties = Map(place.line)
        where = place.below(properties, "ContentUri")
        found = self._evaluator.value(properties.get("ContentUri", ""), where)
        text = "" if isinstance(found, Map) else as_text(found).rstrip("/")
        if not text or text.startswith(_IN_S3):
            self._notes.wrong(where, "the layer is not on this machine, but in S3", _S3_HINT)
            return
        layers = [*table.values.get("layers", ()), text]
        table.put("layers", list(dict.fromkeys(layers)), at.line)

    def _add_package(self, table: FunctionTable, package: str, line: int) -> None:
        packages = [*table.values.get("extra_dependencies", ()), package]
        table.put("extra_dependencies", list(dict.fromkeys(packages)), line)
