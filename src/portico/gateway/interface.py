"""Which contract an application fulfils, told from the object alone; it is not called.

    async def __call__(scope, receive, send)     asgi
    __call__(environ, start_response)            wsgi
    [async] __call__(stream)                     stream: a service for TCP and unix connections
    [async] __call__(datagram, peer)             datagram: one for UDP
    __call__(scope) -> an instance               ASGI 2, refused
    __call__()                                   a factory, or nothing we know

In: any object. Out: the name of its interface, or a ConfigError that says what it is instead. What `stream_service` and
`datagram_service` have made says so itself, by its `interface`.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

from portico.errors import ConfigError

Interface = Literal["wsgi", "asgi", "stream", "datagram"]

_WSGI_NAMES = {"environ", "env", "start_response"}
_ASGI_NAMES = {"scope", "receive", "send"}
_NAMES: dict[Interface, set[str]] = {"wsgi": _WSGI_NAMES, "asgi": _ASGI_NAMES}
_DATAGRAM_NAMES = {"datagram", "peer", "address", "addr"}
# What a single parameter is called where it is certainly no stream: an ASGI 2 application, a view, a WSGI mistake.
_NO_STREAM_NAMES = {"scope", "request", "req", "environ", "env"}
SERVICE_INTERFACES: tuple[Interface, ...] = ("stream", "datagram")
# Attributes under which wrappers keep the application that a server wants, as Dash does.
_INNER = ("server", "app", "wsgi_app", "asgi_app", "application")
_CHOOSE = "say which it is: --interface wsgi or --interface asgi"


def recognise(app: object, name: str) -> Interface:
    """Tell which interface an application has. name: what it is called in messages.

    Raises ConfigError for what is no application, for ASGI 2, and where it cannot be told.
    """
    if not callable(app):
        raise ConfigError(not_callable(app, name))
    if inspect.isclass(app):
        return _by_class(app, name)
    declared = getattr(app, "interface", "")
    if declared in SERVICE_INTERFACES:
        return declared
    is_coroutine = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(app.__call__)
    parameters = _parameters(app, name)
    return _by_service(parameters) or ("asgi" if is_coroutine else _by_parameters(parameters, name))


def _by_service(parameters: list[inspect.Parameter]) -> Interface | None:
    """Recognise a service: one parameter, or two that are called as those of a datagram's are."""
    names = [parameter.name for parameter in parameters]
    if len(names) == 2 and set(names) & _DATAGRAM_NAMES and not set(names) & (_WSGI_NAMES | _ASGI_NAMES):
        return "datagram"
    is_one = _takes(parameters, 1) and not _takes(parameters, 0)
    is_sure = len(names) == 1 and not _takes(parameters, 2) and names[0] not in _NO_STREAM_NAMES
    return "stream" if is_one and (is_sure or names[0] == "stream") else None


def _parameters(app: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(app).parameters.values())
    except (TypeError, ValueError) as exc:  # written in C, or with a signature that is none
        raise ConfigError(f"{name} does not show how it is called; {_CHOOSE}") from exc


def not_callable(app: object, name: str) -> str:
    """Say what an object is that cannot be called, and where the application may be."""
    if isinstance(app, ModuleType):
        return f"{name} is a module, not an application; name an attribute of it: {app.__name__}:app"
    inner = next((part for part in _INNER if callable(getattr(app, part, None))), None)
    hint = f"; did you mean {name}.{inner}?" if inner else "; an application can be called"
    return f"{name} is {_article(type(app).__name__)}, not an application{hint}"


def _by_class(app: type, name: str) -> Interface:
    """A class may be a WSGI application: its instances are what is iterated over (PEP 3333)."""
    names = [parameter.name for parameter in _parameters(app, name)]
    if len(names) == 2 and _WSGI_NAMES & set(names):
        return "wsgi"
    if names[:1] == ["scope"]:
        raise ConfigError(_asgi_2(name))
    raise ConfigError(f"{name} is a class; name an instance of it, or make one: {name}()")


def _by_parameters(parameters: list[inspect.Parameter], name: str) -> Interface:
    fits = [_takes(parameters, count) for count in range(4)]
    called = {parameter.name for parameter in parameters}
    if fits[2] and fits[3]:
        found = next((kind for kind, names in _NAMES.items() if names & called), None)
        if found is None:
            raise ConfigError(f"{name} may be called with two arguments or three; {_CHOOSE}")
        return found
    if fits[2] or fits[3]:
        return "wsgi" if fits[2] else "asgi"
    if fits[0]:
        raise ConfigError(f"{name} takes no arguments; if it makes the application, write {name}()")
    if fits[1] and "scope" in called:
        raise ConfigError(_asgi_2(name))
    raise ConfigError(
        f"{name} takes neither (environ, start_response), as WSGI does, nor (scope, receive, send), as ASGI does, "
        "nor (stream) or (datagram, peer), as services do"
    )


def _asgi_2(name: str) -> str:
    return (
        f"{name} takes a scope alone, as in ASGI 2, which has been replaced; "
        "asgiref.compatibility.guarantee_single_callable makes ASGI 3 of it"
    )


def _takes(parameters: list[inspect.Parameter], count: int) -> bool:
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        return False
    return required <= count and (count <= len(positional) or any(p.kind is p.VAR_POSITIONAL for p in parameters))


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
