"""Which application a folder holds, told from its source text; nothing is imported.

    discover
      $FLASK_APP                       what Flask itself would take
      manage.py -> settings            Django: its asgi.py or wsgi.py
      main.py app.py ... app/main.py   `app = FastAPI()`, `def application(environ, start_response)`, `def create_app()`

In: a folder. Out: a `Found`, or a LoadError: several, each as a command to copy; nothing but a file that is no Python;
nothing at all. A module that imports another candidate is its entrance, and goes before it; so does the folder itself
before those in it.
"""

import ast
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from portico.errors import excerpt
from portico.gateway.loading import APP_NAMES, FACTORY_NAMES, LoadError

# What makes an application, as `module.name`.
_MAKERS = frozenset(
    {
        *("fastapi.FastAPI", "fastapi.applications.FastAPI", "starlette.applications.Starlette", "flask.Flask"),
        *("quart.Quart", "litestar.Litestar", "sanic.Sanic", "bottle.Bottle", "bottle.default_app", "falcon.App"),
        *("falcon.API", "falcon.asgi.App", "blacksheep.Application", "connexion.FlaskApp", "connexion.AsyncApp"),
        *("django.core.wsgi.get_wsgi_application", "django.core.asgi.get_asgi_application", "socketio.ASGIApp"),
        *("socketio.WSGIApp", "channels.routing.ProtocolTypeRouter", "nanodjango.Django", "responder.API"),
    }
)
_PLAIN = (("environ", "start_response"), ("scope", "receive", "send"))
# The order in which files are looked at, and named where there are several.
_FIRST = ("asgi", "wsgi", "main", "app", "application", "api", "server", "web", "__init__")
_PASSED_OVER = frozenset(
    {"tests", "test", "docs", "examples", "node_modules", "migrations", "static", "templates", "build", "dist"}
)
_MOST_FILES = 300
_MOST_BYTES = 1 << 20
_MOST_SHOWN = 8


class Found(NamedTuple):
    """An application. where: the file that told of it, for a person."""

    reference: str
    where: str


class _Source(NamedTuple):
    """What one file's text says. imports: of other modules, by their full names."""

    module: str
    file: str
    tree: ast.Module
    imports: frozenset[str]


def discover(folder: str, environ: Mapping[str, str]) -> Found:
    """Return the application of a folder. Raises LoadError where there is none, or no telling which."""
    if environ.get("FLASK_APP"):
        return Found(_flask_reference(environ["FLASK_APP"]), "FLASK_APP")
    django = _django(Path(folder))
    if django is not None:
        return django
    broken: list[LoadError] = []
    found = _entrances(list(_sources(Path(folder), broken)))
    if len(found) == 1:
        return found[0]
    name = "this folder" if folder in (".", "") else excerpt(folder)
    if found:
        raise LoadError(f"{name} has {len(found)} applications; say which:", _commands(found, folder))
    if broken:
        raise broken[0]
    source = Path(folder) / "src"
    if below := _entrances(list(_sources(source, broken))):
        raise LoadError(f"{name} has its modules in src:", _commands(below, str(source)))
    raise LoadError(
        f"{name} has no application that can be recognised (FastAPI, Flask, Django, Starlette, ...); name it: "
        "portico run module:app"
    )


def _commands(found: Iterable[Found], folder: str) -> list[str]:
    """Return a line to copy for each application. folder: where their modules are found."""
    where = "" if folder in (".", "") else f" --app-dir {shlex.quote(folder)}"
    return [f"  portico run {shlex.quote(one.reference)}{where}" for one in list(found)[:_MOST_SHOWN]]


def _flask_reference(text: str) -> str:
    """Translate $FLASK_APP, which may name a file."""
    path, colon, name = text.partition(":")
    module = path.strip().removesuffix(".py").removeprefix("./").replace("/", ".")
    return f"{module}{colon}{name}"


# Django


def _django(folder: Path) -> Found | None:
    """Find the project that manage.py is for: its settings name it."""
    source = _read(folder / "manage.py")
    named = re.search(r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""", source)
    if named is None:
        return None
    settings = named[1]
    text = _read(folder / (settings.replace(".", "/") + ".py"))
    package = settings
    wanted = ("asgi", "wsgi") if re.search(r"(?m)^ASGI_APPLICATION\s*=", text) else ("wsgi", "asgi")
    while "." in package:
        package = package.rpartition(".")[0]
        for name in wanted:
            path = f"{package.replace('.', '/')}/{name}.py"
            if "application" in _read(folder / path):
                return Found(f"{package}.{name}:application", f"Django: manage.py, {path}")
    return None


# source text


def _sources(folder: Path, broken: list[LoadError]) -> Iterator[_Source]:
    """Yield the Python files of a folder and of those in it, those with usual names first.

    broken: gets what is wrong with files that are no Python.
    """
    paths = sorted(folder.glob("*.py"), key=_order)
    for below in sorted(path for path in folder.iterdir() if _is_looked_into(path)) if folder.is_dir() else ():
        paths += sorted(below.glob("*.py"), key=_order)
    for path in paths[:_MOST_FILES]:
        parts = path.relative_to(folder).with_suffix("").parts
        if path.name.startswith(("test_", "conftest", "setup.py", "manage.py")) or not all(
            map(str.isidentifier, parts)
        ):
            continue
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        try:
            tree = ast.parse(_read(path), str(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            broken.append(_no_python(path, exc))
            continue
        if module:
            yield _Source(module, "/".join(path.relative_to(folder).parts), tree, _imports(tree, module, path))


def _no_python(path: Path, exc: BaseException) -> LoadError:
    from portico.gateway.blame import own_frames, said

    return LoadError(f"{path} cannot be imported: {said(exc)}", own_frames(exc.with_traceback(None)))


def _is_looked_into(path: Path) -> bool:
    return (
        path.name.isidentifier()
        and path.name not in _PASSED_OVER
        and not path.name.startswith("_")
        and path.is_dir()
        and not (path / "pyvenv.cfg").exists()
    )


def _order(path: Path) -> tuple[int, str]:
    return (_FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST), path.name)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _imports(tree: ast.Module, module: str, path: Path) -> frozenset[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package if node.level == 1 else ""
            home = ".".join(filter(None, (base, node.module)))
            names.update({home, *(f"{home}.{alias.name}" for alias in node.names)})
    return frozenset(names)


# candidates


def _entrances(sources: list[_Source]) -> list[Found]:
    """Return one candidate a module: those of the folder itself, or else of the folders in it.

    A module that another candidate imports is not one.
    """
    best = [(source, name) for source in sources if (name := _best(source)) is not None]
    imported = {name for source, _ in best for name in source.imports if name != source.module}
    left = [(source, name) for source, name in best if source.module not in imported] or best
    left = [(source, name) for source, name in left if "/" not in source.file] or left
    return [Found(f"{source.module}:{name}", source.file) for source, name in left]


def _best(source: _Source) -> str | None:
    """Return the name of a module's application: the most usual one, a factory only where there is nothing else."""
    made = dict.fromkeys(_applications(source))
    usual = [name for name in APP_NAMES if name in made]
    if usual or made:
        return (usual or list(made))[0]
    functions = [node for node in source.tree.body if isinstance(node, ast.FunctionDef)]
    factories = [node.name for node in functions if _is_factory(node)]
    return f"{factories[0]}()" if factories else None


def _applications(source: _Source) -> Iterator[str]:
    """Yield the names at the top of a module that stand for an application."""
    origins = _origins(source.tree)
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_plain(node):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            called = _dotted(node.value.func, origins)
            if called in _MAKERS or called.rpartition(".")[2] in FACTORY_NAMES:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def _origins(tree: ast.Module) -> dict[str, str]:
    """Map the names that a module imports to what they are."""
    origins = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            origins.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            origins.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return origins


def _dotted(node: ast.expr, origins: Mapping[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([origins.get(node.id, node.id), *reversed(parts)])


def _is_plain(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return tuple(argument.arg for argument in node.args.args) in _PLAIN


def _is_factory(node: ast.FunctionDef) -> bool:
    has_defaults = len(node.args.args) == len(node.args.defaults) and None not in node.args.kw_defaults
    return node.name in FACTORY_NAMES and has_defaults
