"""A SAM or CloudFormation template to the document of an application."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from relive_platform.names import NAME
from relive_platform.registry.application.document import Document, Given
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.places import absolute
from relive_platform.registry.application.sam.apis import API_TYPES, Apis
from relive_platform.registry.application.sam.bindings import Bindings
from relive_platform.registry.application.sam.events import Events
from relive_platform.registry.application.sam.functions import Functions
from relive_platform.registry.application.sam.intrinsics import Evaluator
from relive_platform.registry.application.sam.names import FUNCTIONS, LAYERS, Names
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.parameters import Parameters, pseudo_parameters
from relive_platform.registry.application.sam.properties import DESCRIBING_ATTRIBUTES, OTHERS
from relive_platform.registry.application.sam.resources import Resources as TemplateResources
from relive_platform.registry.application.sam.samconfig import read_samconfig
from relive_platform.registry.application.sam.sources import Sources
from relive_platform.registry.application.sam.tables import Tables
from relive_platform.registry.application.sam.yaml_text import Map, Seq, parse
from relive_platform.registry.application.toml_file import read_text

__all__ = ["read_template"]

_HINT: Final = "name a relive.toml, or a template of SAM or CloudFormation"
_READ_SECTIONS: Final = ("Parameters", "Mappings", "Conditions", "Resources", "Globals")
_DESCRIBING_SECTIONS: Final = ("AWSTemplateFormatVersion", "Description", "Metadata", "Outputs", "Rules")
_SAM: Final = "AWS::Serverless-2016-10-31"


def read_template(file: Path, shown: str, given: Given) -> Document:
    """The document of a template. Raises ConfigError with all problems."""
    twice: list[tuple[str, int]] = []
    root = parse(read_text(file, shown, _HINT), shown, twice)
    notes = Notes(shown)
    for key, line in twice:
        notes.ignore(Place(key, line), "the key is there once more: the last one counts")
    resources = root.get("Resources")
    if not isinstance(resources, Map):
        raise ConfigError([Problem(shown, 0, "it has no Resources: it is not a template", _HINT)])
    config = read_samconfig(file.parent, given.config_env)
    known = root["Parameters"] if isinstance(root.get("Parameters"), Map) else Map()
    overrides = {name: text for name, text in config.parameters.items() if name in known}
    parameters = Parameters(root.get("Parameters"), {**overrides, **given.parameters}, notes)
    application = _application_name(config.stack_name, file)
    pseudo = pseudo_parameters(application, config.region)
    types = {name: str(found.get("Type", "")) for name, found in resources.items() if isinstance(found, Map)}
    evaluator = Evaluator(root, parameters, Names(types, pseudo), notes, pseudo)
    tables = Tables(application)
    if not config.stack_name:
        del tables.values["app"]["name"]
        if application != file.parent.name:
            tables.values["app"]["name"] = application
    _Template(root, resources, evaluator, notes, tables, absolute(file).parent).read()
    if not tables.functions and not notes.problems:
        message = "no function of it can be deployed" if notes.ignored else "it has no function"
        notes.wrong(Place("Resources", root.line_of("Resources")), message, "see what is ignored")
    if notes.problems:
        raise ConfigError(notes.problems)
    return Document(
        values=tables.values, lines=tables.lines, file=file, shown=shown, ignored=notes.all_ignored()
    )


def _application_name(stack: str, file: Path) -> str:
    """The stack's name, else that of the template's folder, as far as it can be one."""
    text = stack or absolute(file).parent.name
    name = re.sub(r"[^a-zA-Z0-9_-]+", "-", text).strip("-")[:64]
    return name if NAME.fullmatch(name) else "app"


class _Template:
    def __init__(
        self, root: Map, resources: Map, evaluator: Evaluator, notes: Notes, tables: Tables, folder: Path
    ) -> None:
        self._root = root
        self._resources = resources
        self._evaluator = evaluator
        self._notes = notes
        self._apis = Apis(root, evaluator, notes, tables, folder)
        self._events = Events(evaluator, notes, self._apis)
        sources = Sources(evaluator, notes, resources, folder)
        self._functions = Functions(evaluator, notes, tables, self._events, sources)
        self._resources_of = TemplateResources(evaluator, notes, tables)
        self._bindings = Bindings(evaluator, notes, tables, self._events, self._functions)

    def read(self) -> None:
        """Functions first: what else there is may speak of them."""
        self._sections()
        functions: list[tuple[str, Map, Place]] = []
        others: list[tuple[str, Map, Place]] = []
        for name, resource in self._resources.items():
            at = Place("Resources", self._root.line_of("Resources")).below(self._resources, name)
            if not self._wanted(name, resource, at):
                continue
            self._attributes(resource, at)
            (functions if resource.get("Type") in FUNCTIONS else others).append((name, resource, at))
        merged = [
            (name, self._with_globals(resource, at), Place(f"{at.key}.Properties", at.line))
            for name, resource, at in functions
        ]
        for name, properties, at in merged:
            with self._notes.gathering():
                self._functions.read(name, properties, at)
        for name, properties, at in merged:
            with self._notes.gathering():
                self._functions.events(name, properties, at)
        for name, resource, at in others:
            with self._notes.gathering():
                self._other(name, resource, at)
        self._resources_of.declare()

    def _sections(self) -> None:
        for name, value in self._root.items():
            at = Place().below(self._root, name)
            if name == "Transform":
                for transform in value if isinstance(value, Seq) else [value]:
                    if transform not in (_SAM, "AWS::LanguageExtensions"):
                        self._notes.ignore(at, f"the transform {transform} is not run")
            elif name in _DESCRIBING_SECTIONS:
                self._notes.ignore(at, "it says nothing of how functions run", describes=True)
            elif name not in _READ_SECTIONS:
                self._notes.ignore(at, "Relive does not know this section")
        shared = self._root.get("Globals")
        if isinstance(shared, Map):
            self._global_apis(shared)
        for name in shared if isinstance(shared, Map) else ():
            if name not in ("Function", "Api", "HttpApi"):
                at = Place("Globals", self._root.line_of("Globals")).below(shared, name)
                self._notes.ignore(at, "it has no effect here")

    def _wanted(self, name: str, resource: Any, at: Place) -> bool:
        if not isinstance(resource, Map):
            if name.startswith("Fn::ForEach"):
                self._notes.ignore(at, "Fn::ForEach is not evaluated: what it would make is not there")
            else:
                self._notes.wrong(at, "the resource is not a mapping", "write {Type: ..., Properties: ...}")
            return False
        if not isinstance(resource.get("Type"), str):
            self._notes.wrong(at, "the resource has no Type", "as in Type: AWS::Serverless::Function")
            return False
        condition = resource.get("Condition")
        with self._notes.gathering():
            return condition is None or self._evaluator.condition(str(condition), at)
        return False

    def _attributes(self, resource: Map, at: Place) -> None:
        for key, value in resource.items():
            where = at.below(resource, key)
            if key in DESCRIBING_ATTRIBUTES:
                self._notes.ignore(where, "it is about the life of a stack", describes=True)
            elif key == "Metadata":
                self._metadata(value, where)
            elif key not in ("Type", "Properties", "Condition"):
                self._notes.ignore(where, "Relive does not know it")

    def _metadata(self, value: Any, at: Place) -> None:
        method = str(value.get("BuildMethod", "")) if isinstance(value, Map) else ""
        if method and not method.startswith("python"):
            where = at.below(value, "BuildMethod")
            self._notes.ignore(where, f"{method} is not run: the code is taken as it is")
        else:
            self._notes.ignore(at, "it says nothing of how functions run", describes=True)

    def _with_globals(self, resource: Map, at: Place) -> Map:
        properties = resource.get("Properties")
        if not isinstance(properties, Map):
            properties = Map(at.line)
        shared = self._root.get("Globals")
        common = shared.get("Function") if isinstance(shared, Map) else None
        if resource["Type"] != FUNCTIONS[0] or not isinstance(common, Map):
            return properties
        return _merged(common, properties, 0)

    def _global_apis(self, shared: Map) -> None:
        for name in ("Api", "HttpApi"):
            common = shared.get(name)
            at = Place("Globals", self._root.line_of("Globals")).below(shared, name)
            for key in common if isinstance(common, Map) else ():
                if key not in ("Cors", "CorsConfiguration"):
                    self._notes.ignore(at.below(common, key), "it has no effect here")

    def _other(self, name: str, resource: Map, at: Place) -> None:
        kind = resource["Type"]
        properties = resource.get("Properties")
        if not isinstance(properties, Map):
            properties = Map(at.line)
        where = at.below(resource, "Properties")
        if self._bindings.read(kind, properties, where):
            return
        if self._resources_of.read(name, kind, properties, Place(where.key, at.line)):
            return
        if kind in LAYERS:
            return  # they are read where functions name them
        if kind in API_TYPES:
            self._apis.read(kind, properties, where)
        elif kind in OTHERS:
            self._notes.ignore(at, *OTHERS[kind])
        else:
            self._notes.ignore(at, f"Relive does not manage an {kind}")


def _merged(common: Map, own: Map, depth: int) -> Map:
    """As SAM merges Globals: mappings by key, lists one after the other, else what is the function's own."""
    out = Map(own.line)
    for key, value in common.items():
        out.put(key, value, common.line_of(key))
    for key, value in own.items():
        before = out.get(key)
        if isinstance(value, Map) and isinstance(before, Map) and not (_call(value) or _call(before)):
            value = _merged(before, value, depth + 1) if depth < 20 else value
        elif isinstance(value, Seq) and isinstance(before, Seq):
            joined = Seq(value.line)
            for found in (before, value):
                for index, item in enumerate(found):
                    joined.put(item, found.line_of(index))
            value = joined
        out.put(key, value, own.line_of(key))
    return out


def _call(found: Map) -> bool:
    """Whether it is a function of CloudFormation's, not a mapping."""
    return len(found) == 1 and (next(iter(found)) == "Ref" or next(iter(found)).startswith("Fn::"))
