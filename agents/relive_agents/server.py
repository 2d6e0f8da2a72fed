"""The protocol's side: a call of a tool becomes an answer in text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import mcp_types as types
import msgspec
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from relive_base.errors import ReliveError, UsageError
from relive_base.terminal import one_line

from relive_agents.actions import Actions
from relive_agents.definitions import (
    INSTRUCTIONS,
    PROMPT,
    PROMPT_ARGUMENT,
    TOOLS,
    fix_and_verify,
)
from relive_agents.diffs import Edit
from relive_agents.reader import Reader
from relive_agents.texts import Answer, shown

__all__ = ["Desk", "make_server"]

_TEXT: Final = 20_000
_PATCH: Final = 500_000


class Desk:
    """Works on calls. `call` never raises for what a client or the code does."""

    def __init__(self, reader: Reader, actions: Actions) -> None:
        self._reader = reader
        self._actions = actions
        self._calls = 0
        self._idle = anyio.Event()

    async def close(self) -> None:
        """End what runs, and wait until its files are gone."""
        self._actions.close()
        if self._calls:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        """The answer of a tool."""
        self._calls += 1
        try:
            return await self._answer(name, arguments)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def _answer(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            given = _checked(name, arguments)
            return await self._work(name, given)
        except UsageError as error:  # of what the client says, in our words
            return Answer(f"error: {one_line(error.message, 500)}", next=error.hint or "", failed=True)
        except ReliveError as error:  # it may tell of what was recorded
            return Answer("error", f"{error.message}\n{error.hint or ''}".strip(), failed=True)
        except (OSError, ValueError) as error:  # a name that the system does not take, a disk that is full
            return Answer(f"error: {one_line(f'{type(error).__name__}: {error}', 500)}", failed=True)

    async def _work(self, name: str, given: dict[str, Any]) -> Answer:
        ident = given.pop("id", "")
        match name:
            case "inspect":
                return await self._actions.inspect(ident, **given)
            case "scene" if given.pop("heap", False):
                return await self._actions.heap(ident)
            case "why":
                return await self._actions.why(ident, **given)
            case "replay":
                return await self._actions.replay(ident, **given)
            case "to_test":
                return await self._actions.to_test(ident, **given)
        reading: dict[str, Callable[..., Answer]] = {
            "failures": self._reader.failures,
            "scene": partial(self._reader.scene, ident),
            "hot": self._reader.hot,
            "why_slow": partial(self._reader.why_slow, ident),
            "sql": self._reader.sql,
        }
        return await anyio.to_thread.run_sync(partial(reading[name], **given))


def make_server(desk: Desk, version: str) -> Server[Any]:
    """Tools and the prompt."""

    async def tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=tool.schema,
                    annotations=None if tool.writes else types.ToolAnnotations(read_only_hint=True),
                )
                for tool in TOOLS
            ]
        )

    async def call(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        answer = await desk.call(params.name, params.arguments or {})
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=shown(answer))], is_error=answer.failed
        )

    async def prompts(_context: Any, _params: Any) -> types.ListPromptsResult:
        argument = types.PromptArgument(
            name=PROMPT_ARGUMENT, description="id, function name, or last (the default)", required=False
        )
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=PROMPT,
                    description="Find the cause of a failure, fix it, prove it",
                    arguments=[argument],
                )
            ]
        )

    async def prompt(_context: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name != PROMPT:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {one_line(params.name, 60)}")
        text = fix_and_verify(one_line((params.arguments or {}).get(PROMPT_ARGUMENT) or "last", 100))
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(messages=[message])

    return Server(
        "relive",
        version=version,
        instructions=INSTRUCTIONS,
        on_list_tools=tools,
        on_call_tool=call,
        on_list_prompts=prompts,
        on_get_prompt=prompt,
    )


_KINDS: Final = {"string": str, "integer": int, "boolean": bool, "object": dict[str, Any], "array": list[Any]}


def _checked(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the schema of the tool has them. Raises UsageError."""
    tool = next((tool for tool in TOOLS if tool.name == name), None)
    if tool is None:
        raise UsageError(f"there is no tool {one_line(name, 60)}", hint=", ".join(one.name for one in TOOLS))
    missing = [key for key in tool.required if key not in arguments]
    unknown = [key for key in arguments if key not in tool.properties]
    if missing or unknown:
        said = f"it needs {missing[0]}" if missing else f"it has no argument {one_line(unknown[0], 60)}"
        raise UsageError(f"{name}: {said}", hint=f"its arguments: {', '.join(tool.properties)}")
    for key, value in arguments.items():
        one_of = tool.properties[key].get("enum")
        if one_of and value is not None and value not in one_of:
            said = one_line(str(value), 60)
            raise UsageError(f"{name}: {key} is none of these: {said}", hint=f"one of {', '.join(one_of)}")
    try:
        return {
            key: msgspec.convert(value, _type_of(key, tool.properties[key]))
            for key, value in arguments.items()
            if value is not None and _fits(key, value)
        }
    except UnicodeEncodeError:
        raise UsageError(f"{name}: half of a character is no text", hint="give whole ones") from None
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {one_line(str(error), 200)}") from None


def _type_of(key: str, schema: Mapping[str, Any]) -> Any:
    if key == "edits":
        return list[Edit]  # a dataclass: of a dict with just its fields
    if key == "commands":
        return list[str]
    return _KINDS[schema["type"]]


def _fits(key: str, value: Any) -> bool:
    most = _PATCH if key in ("patch", "edits", "answers") else _TEXT
    size = len(str(value)) if isinstance(value, str | list | dict) else 0
    if size > most:
        raise UsageError(f"{key} is over the limit of {most:,} characters")
    for text in _texts(value, names_only=key == "answers"):
        text.encode()  # JSON can name halves of characters, files and processes take none
    return True


def _texts(value: Any, *, names_only: bool = False) -> Iterator[str]:
    """In it, however deep. Of answers only the names are used as they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            if not names_only:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
