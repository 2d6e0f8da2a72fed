"""What a call passes to which parameter. Pure."""

from __future__ import annotations

import ast

__all__ = ["argument_of", "has_default"]


def argument_of(
    call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parameter: str
) -> ast.expr | None:
    """What a call passes to a parameter. None: its default, or the text does not tell."""
    arguments = function.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
    bound = bool(names) and names[0] in ("self", "cls")
    if bound and parameter == names[0]:
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    if bound and not _unbound(call, function, names):
        names = names[1:]
    for keyword in call.keywords:
        if keyword.arg == parameter:
            return keyword.value
    if parameter in names:
        index = names.index(parameter)
        before = call.args[: index + 1]
        if index < len(call.args) and not any(isinstance(item, ast.Starred) for item in before):
            return call.args[index]
    return None


def _unbound(call: ast.Call, function: ast.AST, names: list[str]) -> bool:
    """`Base.method(self, value)`."""
    first = call.args[0] if call.args else None
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id[:1].isupper()
        and isinstance(first, ast.Name)
        and first.id == names[0]
    )


def has_default(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parameter: str) -> bool:
    """Whether a parameter may be left out."""
    arguments = function.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
    with_default = names[len(names) - len(arguments.defaults) :] if arguments.defaults else []
    keyword = [
        item.arg
        for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    return parameter in (*with_default, *keyword)
