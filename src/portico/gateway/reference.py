"""How an application is named: `module:attribute`, in text and in parts.

    main                         a module; its application is looked for
    shop.web:app                 an attribute of it
    main:site.application        and an attribute of that
    main:create_app("test", debug=True)    what a function returns; its arguments are literals

In: text. Out: a `Reference`. Nothing is imported and nothing is called here.
"""

import ast
from dataclasses import dataclass
from typing import Any

from portico.errors import UsageError, excerpt

_FORM = "write module:attribute, as main:app, or module:function() for a function that makes the application"


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments a factory is called with."""

    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """An application's name in parts.

    module: dotted. attributes: from the module to the application, empty where it is to be looked for.
    call: set where what they lead to is called, and what it returns is the application.
    """

    module: str
    attributes: tuple[str, ...] = ()
    call: Call | None = None

    def __str__(self) -> str:
        called = ""
        if self.call is not None:
            pairs = [*map(repr, self.call.args), *(f"{name}={value!r}" for name, value in self.call.kwargs)]
            called = f"({', '.join(pairs)})"
        return f"{self.module}:{'.'.join(self.attributes)}{called}" if self.attributes else self.module


def parse_reference(text: str) -> Reference:
    """Read the name of an application. Raises UsageError that says how one is written."""
    module, colon, rest = text.strip().partition(":")
    if module.endswith(".py") or "/" in module or "\\" in module:
        raise UsageError(f"{excerpt(text)} is a file; {_as_module(module, rest)}")
    if not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"{excerpt(text)} does not begin with the name of a module; {_FORM}")
    if not colon:
        return Reference(module)
    attributes, call = _parse_attribute(rest, text)
    return Reference(module, attributes, call)


def _as_module(path: str, rest: str) -> str:
    folder, _, name = path.replace("\\", "/").rpartition("/")
    module = name.removesuffix(".py")
    if not module.isidentifier():
        return _FORM
    where = f" --app-dir {folder}" if folder.strip("./") or folder.startswith(("/", "..")) else ""
    return f"name its module: {module}{':' + rest if rest else ''}{where}"


def _parse_attribute(text: str, whole: str) -> tuple[tuple[str, ...], Call | None]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as exc:
        raise UsageError(f"{excerpt(whole)} is not the name of an application; {_FORM}") from exc
    call = None
    if isinstance(node, ast.Call):
        call = _literal_call(node, whole)
        node = node.func
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise UsageError(f"{excerpt(whole)} is not the name of an application; {_FORM}")
    return (node.id, *reversed(names)), call


def _literal_call(node: ast.Call, whole: str) -> Call:
    try:
        args = tuple(ast.literal_eval(value) for value in node.args)
        return Call(args, tuple(_pair(keyword) for keyword in node.keywords))
    except (ValueError, TypeError, MemoryError, RecursionError) as exc:
        raise UsageError(f"{excerpt(whole)}: the arguments must be plain values, as 'x', 5, True or ['a']") from exc


def _pair(keyword: ast.keyword) -> tuple[str, Any]:
    if keyword.arg is None:
        raise ValueError("**")
    return keyword.arg, ast.literal_eval(keyword.value)
