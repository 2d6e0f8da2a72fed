"""The APIs of a template: which pages may call their functions, and routes that an OpenAPI document has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from relive_platform.registry.application.places import reach
from relive_platform.registry.application.sam.intrinsics import Evaluator, as_text
from relive_platform.registry.application.sam.names import function_name
from relive_platform.registry.application.sam.notes import Notes, Place
from relive_platform.registry.application.sam.tables import FunctionTable, Tables
from relive_platform.registry.application.sam.yaml_text import Map, Seq, parse
from relive_platform.registry.application.toml_file import read_text

__all__ = ["API_TYPES", "Apis"]

API_TYPES: Final = {"AWS::Serverless::Api": "1.0", "AWS::Serverless::HttpApi": "2.0"}
_GLOBALS: Final = {"1.0": "Api", "2.0": "HttpApi"}
_DESCRIBING: Final = ("StageName", "Name", "Description", "Tags", "EndpointConfiguration", "OpenApiVersion")
_CORS: Final = ("Cors", "CorsConfiguration")
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_ANY: Final = "x-amazon-apigateway-any-method"
_LISTS: Final = {
    "AllowOrigin": "origins",
    "AllowOrigins": "origins",
    "AllowMethods": "methods",
    "AllowHeaders": "headers",
    "ExposeHeaders": "expose_headers",
}


class Apis:
    """`template`: the whole of it; `folder`: where it lies."""

    def __init__(
        self, template: Map, evaluator: Evaluator, notes: Notes, tables: Tables, folder: Path
    ) -> None:
        self._template = template
        self._evaluator = evaluator
        self._notes = notes
        self._tables = tables
        self._folder = folder
        self._cors: dict[str, tuple[dict[str, Any], int] | None] = {}

    # ------------------------------------------------------------ which pages may call

    def allow_pages(self, table: FunctionTable, api: str, payload: str) -> None:
        """What the API `api` ("" for the one that SAM makes) says of other origins, for a function of it."""
        if api not in self._cors:
            self._cors[api] = self._find_cors(api, payload)
        found = self._cors[api]
        if found is not None and "cors" not in table.values:
            table.put("cors", *found)

    def _find_cors(self, api: str, payload: str) -> tuple[dict[str, Any], int] | None:
        shared = self._template.get("Globals")
        common = shared.get(_GLOBALS[payload]) if isinstance(shared, Map) else None
        resource = self._template["Resources"].get(api)
        own = resource.get("Properties") if isinstance(resource, Map) else None
        places = ((own, f"Resources.{api}.Properties"), (common, f"Globals.{_GLOBALS[payload]}"))
        for properties, key in places:
            for name in _CORS:
                if isinstance(properties, Map) and name in properties:
                    at = Place(f"{key}.{name}", properties.line_of(name))
                    return self.cors(self._evaluator.value(properties[name], at), at)
        return None

    def cors(self, value: Any, at: Place) -> tuple[dict[str, Any], int] | None:
        """The table `cors` of an evaluated value and its line; None if it allows nothing."""
        if value is False or value is None:
            return None
        if not isinstance(value, Map):
            origins = ["*"] if value is True else _texts(value)
            return ({"origins": origins}, at.line) if origins else None
        found: dict[str, Any] = {}
        for key, item in value.items():
            if key in _LISTS:
                texts = _texts(item)
                if texts != ["*"] or key in ("AllowOrigin", "AllowOrigins"):
                    found[_LISTS[key]] = texts
            elif key == "AllowCredentials":
                found["credentials"] = as_text(item).lower().strip("'") == "true"
            elif key == "MaxAge" and as_text(item).strip("'").isdecimal():
                found["max_age_s"] = min(int(as_text(item).strip("'")), 86_400)
            else:
                self._notes.ignore(at.below(value, key), "it has no effect here")
        if not found.get("origins"):
            self._notes.ignore(at, "it names no origin: no page of another origin may call")
            return None
        if found.get("credentials") and "*" in found["origins"]:
            self._notes.ignore(at, "credentials are not allowed for every origin", "name the origins")
            found["credentials"] = False
        return found, at.line

    # ------------------------------------------------------------ routes

    def read(self, kind: str, properties: Map, at: Place) -> None:
        """An API's own properties."""
        for key, value in properties.items():
            where = at.below(properties, key)
            if key in ("DefinitionBody", "DefinitionUri"):
                self._definition(value, where, API_TYPES[kind])
            elif key in _DESCRIBING:
                self._notes.ignore(where, "paths have no stage here", describes=True)
            elif key not in _CORS:
                self._notes.ignore(where, "it has no effect here")

    def _definition(self, value: Any, at: Place, payload: str) -> None:
        location = value if isinstance(value, str) else self._included(value)
        if location:
            value = self._file(location, at)
        if value is None:
            return
        found = self._evaluator.value(value, at)
        paths = found.get("paths") if isinstance(found, Map) else None
        if not isinstance(paths, Map):
            self._notes.ignore(at, "it has no paths")
            return
        at = at.below(found, "paths")
        for path, methods in paths.items():
            for method, operation in methods.items() if isinstance(methods, Map) else ():
                if method in _METHODS or method == _ANY:
                    where = at.below(paths, path).below(methods, method)
                    self._operation(path, method, operation, where, payload)

    def _included(self, value: Any) -> str:
        """The file of `Fn::Transform: {Name: AWS::Include, Parameters: {Location: ...}}`."""
        transform = value.get("Fn::Transform") if isinstance(value, Map) else None
        if not isinstance(transform, Map) or transform.get("Name") != "AWS::Include":
            return ""
        parameters = transform.get("Parameters")
        return as_text(parameters.get("Location", "")) if isinstance(parameters, Map) else ""

    def _file(self, location: str, at: Place) -> Map | None:
        file, reason = reach(self._folder, location)
        if "://" in location or reason or not file.is_relative_to(self._folder.resolve()):
            self._notes.ignore(at, f"{location} is not beside the template: its routes are not read")
            return None
        return parse(read_text(file, str(file), "correct the path"), str(file))

    def _operation(self, path: str, method: str, operation: Any, at: Place, payload: str) -> None:
        integration = operation.get(_INTEGRATION) if isinstance(operation, Map) else None
        if not isinstance(integration, Map):
            return  # a route that SAM adds to, or one that has no integration of its own
        uri = as_text(integration.get("uri", ""))
        table = self._tables.functions.get(function_name(uri)) if ":function:" in uri else None
        if table is None:
            self._notes.ignore(at, "it goes to no function of this template")
            return
        version = as_text(integration.get("payloadFormatVersion", payload))
        values: dict[str, Any] = {"type": "http", "path": path}
        if method != _ANY:
            values["methods"] = [method.upper()]
        if version == "1.0":
            values["payload"] = "1.0"
        table.trigger(values, at.line)


def _texts(value: Any) -> list[str]:
    """A list, or one text with commas and API Gateway's quotes within quotes."""
    items = value if isinstance(value, Seq | list) else as_text(value).strip("'").split(",")
    return [text for item in items if (text := as_text(item).strip().strip("'"))]
