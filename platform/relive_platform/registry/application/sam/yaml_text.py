"""A template's text to values that know their lines. CloudFormation's short forms (`!Ref x`) become the long
ones (`{"Ref": x}`); aliases are shared, not copied."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from relive_platform.registry.application.errors import ConfigError, Problem

__all__ = ["Map", "Seq", "parse"]

_MAX_NODES: Final = 100_000
_CORE: Final = "tag:yaml.org,2002:"
_BARE: Final = ("Ref", "Condition")  # the other functions are called Fn::...


class Map(dict[str, Any]):
    """A mapping; `line` is where it begins, `lines` where each key stands."""

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def put(self, key: str, value: object, line: int) -> None:
        """Set a key that stands on `line`."""
        self[key] = value
        self.lines[key] = line

    def line_of(self, key: str) -> int:
        """Where `key` stands; where the mapping begins if that is not known."""
        return self.lines.get(key, self.line)


class Seq(list[Any]):
    """A sequence; `lines` says where each item begins."""

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []

    def put(self, value: object, line: int) -> None:
        """Add an item that begins on `line`."""
        self.append(value)
        self.lines.append(line)

    def line_of(self, index: int) -> int:
        """Where an item begins."""
        return self.lines[index] if index < len(self.lines) else self.line


class _Loader(yaml.SafeLoader):
    """Dates stay texts, as CloudFormation has them."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_CORE}timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse(text: str, shown: str, twice: list[tuple[str, int]] | None = None) -> Map:
    """The template of `text`, a mapping. Keys that are there twice, of which the last one counts, go into
    `twice` with the lines of the others. Raises ConfigError."""
    twice = [] if twice is None else twice
    try:
        root = (
            _Builder(text, shown, twice).document() if text.lstrip()[:1] != "{" else _json(text, shown, twice)
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refused(
            shown, mark.line + 1 if mark else 0, f"it is not valid YAML: {error.problem}"
        ) from error
    except yaml.YAMLError as error:
        raise _refused(shown, 0, f"it is not valid YAML: {error}") from error
    except RecursionError as error:
        raise _refused(shown, 0, "it is nested too deeply") from error
    if not isinstance(root, Map):
        raise _refused(shown, 1, "it is not a mapping: no template")
    return root


def _refused(shown: str, line: int, message: str) -> ConfigError:
    return ConfigError([Problem(shown, line, message, "correct the template")])


def _json(text: str, shown: str, twice: list[tuple[str, int]]) -> object:
    """A template in JSON; if it is no JSON, it may be YAML (with comments, say)."""
    try:
        return _marked(json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, twice)))
    except ValueError:
        return _Builder(text, shown, twice).document()


def _object(pairs: list[tuple[str, Any]], twice: list[tuple[str, int]]) -> Map:
    found = Map()
    for key, value in pairs:
        if key in found:
            twice.append((key, 0))
        found.put(key, _marked(value), 0)
    return found


def _marked(value: object) -> object:
    if not isinstance(value, list):
        return value
    found = Seq()
    for item in value:
        found.put(_marked(item), 0)
    return found


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else []


class _Builder:
    """Nodes to values, each once."""

    def __init__(self, text: str, shown: str, twice: list[tuple[str, int]]) -> None:
        self._loader = _Loader(text)
        self._shown = shown
        self._twice = twice
        self._built: dict[int, object] = {}
        self._open: set[int] = set()
        self._sizes: dict[int, int] = {}  # of what each node unfolds to

    def document(self) -> object:
        try:
            node = self._loader.get_single_node()
            return None if node is None else self.build(node)
        finally:
            self._loader.dispose()

    def build(self, node: yaml.Node) -> object:
        key = id(node)
        if key in self._built:
            return self._built[key]
        line = node.start_mark.line + 1
        if key in self._open:
            raise _refused(self._shown, line, "an alias leads to what it lies in")
        self._open.add(key)
        found = self._value(node, line)
        self._open.discard(key)
        self._built[key] = found
        self._sizes[key] = size = 1 + sum(self._sizes[id(part)] for part in _parts(node))
        if size > _MAX_NODES:  # whoever walks through it later meets each alias again
            raise _refused(self._shown, line, f"it unfolds to more than {_MAX_NODES} values")
        return found

    def _value(self, node: yaml.Node, line: int) -> object:
        name = node.tag[1:] if node.tag.startswith("!") and not node.tag.startswith("!!") else ""
        if isinstance(node, yaml.ScalarNode):
            found: object = node.value if name else self._scalar(node, line)
        elif isinstance(node, yaml.SequenceNode):
            found = Seq(line)
            for item in node.value:
                found.put(self.build(item), item.start_mark.line + 1)
        else:
            found = self._mapping(node, line)
        if not name:
            return found
        call = Map(line)
        call.put(name if name in _BARE else f"Fn::{name}", found, line)
        return call

    def _mapping(self, node: yaml.Node, line: int) -> Map:
        assert isinstance(node, yaml.MappingNode)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(self._shown, key.start_mark.line + 1, "a key is not a text")
            if key.value in seen and key.value != "<<":
                self._twice.append((key.value, seen[key.value]))
            seen[key.value] = key.start_mark.line + 1
        found = Map(line)
        for key, value in node.value:
            if key.tag == f"{_CORE}merge":
                self._merge(found, self.build(value), key.start_mark.line + 1)
        for key, value in node.value:
            if key.tag != f"{_CORE}merge":
                found.put(str(key.value), self.build(value), key.start_mark.line + 1)
        return found

    def _merge(self, found: Map, merged: object, line: int) -> None:
        """YAML's `<<`: of a mapping or of several, of which the first one that has a key counts."""
        for one in merged if isinstance(merged, Seq) else [merged]:
            if not isinstance(one, Map):
                raise _refused(self._shown, line, "<< does not name a mapping")
            for key, value in one.items():
                if key not in found:
                    found.put(key, value, one.line_of(key))

    def _scalar(self, node: yaml.ScalarNode, line: int) -> object:
        kind = node.tag.removeprefix(_CORE)
        if kind in ("int", "float") and ":" in node.value:
            return node.value  # YAML 1.1 would read 22:22 as a number to the base 60
        if kind not in ("null", "bool", "int", "float"):
            return node.value
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            raise _refused(self._shown, line, f"{node.value!r} is not a number") from error
