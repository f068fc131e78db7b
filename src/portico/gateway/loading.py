"""Find, import and recognise an application.

    load("main:app")
      parse_reference          what is asked for
      _import                  the module, from the folder of the application
      _reach, _looked_for      the attribute, or the one it most likely is
      _made                    called, where it is a factory
      recognise                WSGI or ASGI

In: a reference and a folder. Out: a `Loaded`, or a `LoadError` for the person whose application it is: one line that
says what is wrong and what to do, and their own lines of the traceback.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from portico.errors import ConfigError, excerpt
from portico.gateway.interface import SERVICE_INTERFACES, Interface, not_callable, recognise
from portico.gateway.reference import Call, Reference, parse_reference

# The names an application goes by, then those of functions that make one; the first there is, is taken.
APP_NAMES = ("app", "application", "api", "asgi_app", "wsgi_app")
FACTORY_NAMES = ("create_app", "make_app", "create_application", "get_application")
_MOST_NAMES = 6

# What is installed under another name than it is imported under.
_DISTRIBUTIONS = {
    "bs4": "beautifulsoup4",
    "corsheaders": "django-cors-headers",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "decouple": "python-decouple",
    "dotenv": "python-dotenv",
    "environ": "django-environ",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "multipart": "python-multipart",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework",
    "serial": "pyserial",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "socketio": "python-socketio",
    "yaml": "PyYAML",
}


class LoadError(ConfigError):
    """An application cannot be had.

    frames: lines to show below the message, without line ends: the person's own part of the traceback.
    """

    def __init__(self, message: str, frames: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.frames = tuple(frames)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An application. name: its reference, complete."""

    app: Any
    interface: Interface
    name: str


def load(text: str, app_dir: str = "", interface: str = "auto") -> Loaded:
    """Import the application that a reference names.

    text: see `reference`. app_dir: the folder where its module is found, "" for the current one; it comes first in
    sys.path from here on. interface: "wsgi" or "asgi" where the application does not show it.
    Raises UsageError for text that is no reference, LoadError for all that can go wrong with what it names.
    """
    wanted = parse_reference(text)
    folder = os.path.abspath(app_dir or ".")
    if not os.path.isdir(folder):
        raise LoadError(f"there is no folder {excerpt(app_dir)} to find {wanted.module} in")
    if not sys.path or sys.path[0] != folder:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    module = _import(wanted, folder)
    if not wanted.attributes:
        wanted = Reference(wanted.module, *_looked_for(module))
    app = _reach(module, wanted)
    if wanted.call is not None:
        app = _made(app, wanted)
    return Loaded(app, _interface(app, str(wanted), interface), str(wanted))


def _interface(app: object, name: str, chosen: str) -> Interface:
    if not callable(app):
        raise LoadError(not_callable(app, name))
    if chosen != "auto":
        return chosen  # type: ignore[return-value]  # one of settings.INTERFACES
    try:
        return recognise(app, name)
    except ConfigError as exc:
        raise LoadError(str(exc)) from exc


# the module


def _import(wanted: Reference, folder: str) -> ModuleType:
    try:
        return importlib.import_module(wanted.module)
    except ModuleNotFoundError as exc:
        raise _not_found(exc, wanted, folder) from exc
    except (Exception, SystemExit) as exc:  # whatever somebody's module does while it is imported
        raise _failure(f"{wanted.module} cannot be imported", exc) from exc


def _failure(what: str, exc: BaseException) -> LoadError:
    from portico.gateway.blame import own_frames, said

    return LoadError(f"{what}: {said(exc)}", own_frames(exc))


def _not_found(exc: ModuleNotFoundError, wanted: Reference, folder: str) -> LoadError:
    from portico.gateway.blame import last_own_line, own_frames

    missing = exc.name or ""
    if wanted.module == missing or wanted.module.startswith(f"{missing}."):
        if not own_frames(exc):
            return LoadError(f"no module named {missing!r}; {_other_modules(wanted, folder)}")
    line = last_own_line(exc)
    where = f"{line[0]}, line {line[1]} needs it; " if line else ""
    top = missing.partition(".")[0]
    message = f"no module named {missing!r}; {where}{_remedy(top, folder)}"
    return LoadError(message, own_frames(exc))


def _remedy(top: str, folder: str) -> str:
    for name in _python_files(folder, depth=2):
        parent, _, module = name.rpartition("/")
        if parent and module == f"{top}.py":
            return f"there is {name}: write from {parent.replace('/', '.')} import {top}, or --app-dir {parent}"
    return f"pip install {_DISTRIBUTIONS.get(top, top)}"


def _other_modules(wanted: Reference, folder: str) -> str:
    """Say which modules there are instead, as a command to copy where there is one that is likely."""
    import shlex

    here = "this folder" if folder == os.getcwd() else f"the folder {_shown(folder)}"
    names = [name.removesuffix(".py").replace("/", ".") for name in _python_files(folder, depth=2)]
    attribute = str(wanted).partition(":")[2] or "app"
    likely = get_close_matches(wanted.module, names, 1) or [n for n in ("main", "app", "wsgi", "asgi") if n in names]
    likely = likely or [name for name in names if name.rpartition(".")[2] == wanted.module.rpartition(".")[2]]
    if not names:
        return f"{here} has no Python files; --app-dir says where they are"
    if likely or len(names) == 1:
        name = (likely or names)[0]
        where = "" if folder == os.getcwd() else f" --app-dir {shlex.quote(folder)}"
        return f"{here} has {name.replace('.', '/')}.py: portico run {shlex.quote(f'{name}:{attribute}')}{where}"
    return f"{here} has {_listed([name.replace('.', '/') + '.py' for name in names])}"


def _python_files(folder: str, depth: int) -> list[str]:
    """Return the Python files of a folder and, to a depth, of those in it, as paths with slashes, nearest first."""
    found, below = [], []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []
    for entry in entries:
        stem = entry.name.removesuffix(".py")
        if entry.name.endswith(".py") and stem.isidentifier() and stem not in ("__init__", "setup", "conftest"):
            found.append(entry.name)
        elif depth > 1 and entry.name.isidentifier() and entry.name != "__pycache__" and entry.is_dir():
            if not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                below += [f"{entry.name}/{name}" for name in _python_files(entry.path, depth - 1)]
    return found + below


# the attribute


def _looked_for(module: ModuleType) -> tuple[tuple[str, ...], Call | None]:
    """Return the attributes that lead to the application of a module, and the call where it must be made."""
    for name in APP_NAMES:
        if callable(getattr(module, name, None)):
            return (name,), None
    for name in FACTORY_NAMES:
        if callable(getattr(module, name, None)):
            return (name,), Call((), ())
    services = [name for name, found in vars(module).items() if getattr(found, "interface", "") in SERVICE_INTERFACES]
    if len(services) == 1:
        return (services[0],), None
    raise LoadError(
        f"{module.__name__} has none of {', '.join(APP_NAMES)}; name its application: {_candidates(module, '')}"
    )


def _reach(module: ModuleType, wanted: Reference) -> Any:
    found: Any = module
    for index, name in enumerate(wanted.attributes):
        try:
            found = getattr(found, name)
        except AttributeError as exc:
            before = ".".join(wanted.attributes[:index])
            owner = f"{wanted.module}:{before}" if before else wanted.module
            raise LoadError(f"{owner} has no {name!r}; {_candidates(found, name, before)}") from exc
    return found


def _candidates(owner: Any, wanted: str, before: str = "") -> str:
    """Say which names an object has that were perhaps meant: those that are spelled alike, else what can be called."""
    public = [name for name in vars(owner) if not name.startswith("_")] if hasattr(owner, "__dict__") else []
    own = [name for name in public if _is_own(owner, name)]
    near = get_close_matches(wanted, public, _MOST_NAMES)
    path = f"{before}." if before else ""
    if near:
        return f"did you mean {_listed([path + name for name in near])}?"
    if own:
        return f"it has {_listed([path + name for name in own])}"
    return "there is nothing in it that can be called"


def _is_own(owner: Any, name: str) -> bool:
    value = getattr(owner, name, None)
    home = getattr(value, "__module__", None)
    is_imported = (isinstance(value, type) or hasattr(value, "__code__")) and home != getattr(owner, "__name__", home)
    return callable(value) and not is_imported


def _made(factory: Any, wanted: Reference) -> Any:
    assert wanted.call is not None
    name = f"{wanted.module}:{'.'.join(wanted.attributes)}"
    if not callable(factory):
        raise LoadError(f"{name} is a {type(factory).__name__}, it cannot be called; leave out the brackets")
    try:
        return factory(*wanted.call.args, **dict(wanted.call.kwargs))
    except (Exception, SystemExit) as exc:  # whatever somebody's function does
        raise _failure(f"{wanted} failed", exc) from exc


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown


def _shown(folder: str) -> str:
    return folder if folder.isprintable() else excerpt(folder)
