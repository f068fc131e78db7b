"""The rules of the architecture, checked over the sources themselves.

Imports point down, `http/` and `wire/` are pure, nothing imports in a circle, the apps do not know each other,
one module opens the files of a served folder, tests mirror sources, and functions and files stay small.
What is excused stands in a table with its reason.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "portico"

RANKS = {
    "errors": 0,
    "settings": 1,
    "http": 2,
    "wire": 3,
    "net": 4,
    "gateway": 4,
    "server": 5,
    "client": 5,
    "apps": 6,
    "workers": 7,
    "cli": 8,
    "__main__": 9,
    "": 9,  # portico/__init__.py hands out names of all layers, lazily
}

IMPURE = {
    *("asyncio", "concurrent", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select"),
    *("selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "uvloop"),
}
IMPURE_CALLS = {"open", "print", "input", "breakpoint"}
CLOCK_CALLS = {"now", "utcnow", "today"}

# The modules of apps/files that may touch the disk: root decides; door finds descriptors, for root alone; opened reads
# from those descriptors.
DISK_DOORS = {"root.py", "door.py", "opened.py"}
DISK_MODULES = {"pathlib", "shutil", "glob", "tempfile", "io", "mmap", "linecache", "fileinput"}
OS_WITHOUT_DISK = {"fsencode", "fsdecode", "PathLike"}

FILE_WALL = 600
FUNCTION_WALL = 50
FUNCTION_GUIDE = 25
PARAMETER_WALL = 5

# "module:function" -> why it may be longer, or take more, than the walls say.
EXCUSED_LENGTH: dict[str, str] = {}
EXCUSED_PARAMETERS: dict[str, str] = {
    "settings.rows:option": "one row of the option table; each parameter is a column of it",
}
EXCUSED_FILES: dict[str, str] = {}

# Folders of tests that exercise several modules at once; single files likewise.
TESTS_ACROSS = {"conformance", "interop", "browser", "budget", "soak", "fuzz", "docs", "bench", "acceptance"}
TESTS_OF_THE_WHOLE = {"test_architecture.py", "test_public_api.py"}


class Import(NamedTuple):
    """One imported module name, the line that imports it, and whether only a type checker ever sees it."""

    name: str
    line: int
    typing_only: bool = False


class Function(NamedTuple):
    """One function. name: `module:Class.method`; lines: without the docstring; parameters: without self."""

    name: str
    lines: int
    parameters: int


@cache
def modules() -> dict[str, Path]:
    """Map each module's dotted name below portico ("" for the package itself) to its file."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_bytes())


def package_of(module: str) -> str:
    return module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]


def absolute(module: str, node: ast.ImportFrom) -> str:
    """Return the full name a `from` statement starts with, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parts = ["portico", *filter(None, package_of(module).split("."))]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def all_imports(module: str) -> Iterator[Import]:
    """Yield what a module imports anywhere, inside functions too; `from portico.x import y` as portico.x.y."""
    blocks = [node for node in ast.walk(tree(module)) if is_typing_block(node)]
    guarded = {id(child) for block in blocks for child in getattr(block, "body", ())}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, id(node) in guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = absolute(module, node)
            yield from (Import(f"{start}.{alias.name}", node.lineno, id(node) in guarded) for alias in node.names)


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def own_imports(module: str) -> Iterator[Import]:
    """Yield the modules of Portico that a module imports, each by its name below portico."""
    for name, line, typing_only in all_imports(module):
        if name.split(".")[0] == "portico" and name != "portico.__version__":
            inner = name.removeprefix("portico").removeprefix(".")
            while inner not in modules() and inner:  # a name inside a module, or a folder without __init__
                inner = inner.rpartition(".")[0]
            yield Import(inner, line, typing_only)


def layer(module: str) -> str:
    return module.split(".")[0]


def unit(module: str) -> str:
    """Return what may import freely within itself: a layer, or one app."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "apps" else parts[0]


def where(module: str, line: int) -> str:
    return f"{modules()[module].relative_to(ROOT)}:{line}"


def functions(module: str) -> Iterator[Function]:
    def visit(node: ast.AST, prefix: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield measure(child, prefix)
                yield from visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, f"{prefix}{child.name}.")
            else:
                yield from visit(child, prefix)

    return visit(tree(module), f"{module}:")


def measure(node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str) -> Function:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return Function(prefix + node.name, lines, sum(name not in ("self", "cls") for name in names))


@cache
def all_functions() -> tuple[Function, ...]:
    return tuple(function for module in modules() for function in functions(module))


# --- imports ----------------------------------------------------------------------------------


def test_every_module_belongs_to_a_layer() -> None:
    assert [str(modules()[m].relative_to(ROOT)) for m in modules() if layer(m) not in RANKS] == []


def test_imports_point_down() -> None:
    wrong = [
        f"{where(module, line)} imports portico.{target}"
        for module in modules()
        for target, line, _ in own_imports(module)
        if unit(target) != unit(module) and RANKS[layer(target)] >= RANKS[layer(module)]
    ]
    assert wrong == []


def test_nothing_imports_in_a_circle() -> None:
    edges = {m: {target for target, _, typing_only in own_imports(m) if not typing_only} for m in modules()}
    done: set[str] = set()

    def circle_from(module: str, way: tuple[str, ...]) -> tuple[str, ...]:
        if module in way:
            return (*way[way.index(module) :], module)
        if module in done:
            return ()
        for target in sorted(edges[module]):
            if found := circle_from(target, (*way, module)):
                return found
        done.add(module)
        return ()

    assert [circle for module in modules() if (circle := circle_from(module, ()))] == []


@pytest.mark.parametrize("folder", ["http", "wire"])
def test_what_must_be_pure_imports_nothing_impure(folder: str) -> None:
    wrong = [
        f"{where(module, line)} imports {name}"
        for module in modules()
        for name, line, _ in all_imports(module)
        if layer(module) == folder and name.split(".")[0] in IMPURE
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["http", "wire"])
def test_what_must_be_pure_reads_no_clock_and_no_file(folder: str) -> None:
    wrong = [
        f"{where(module, node.lineno)} calls {ast.unparse(node.func)}()"
        for module in modules()
        if layer(module) == folder
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        if (isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS)
        or (isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS)
    ]
    assert wrong == []


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def pure_names() -> list[str]:
    return [f"portico.{module}".rstrip(".") for module in modules() if layer(module) in ("", "errors", "http", "wire")]


@pytest.mark.parametrize("name", pure_names())
def test_what_must_be_pure_loads_no_machinery(name: str) -> None:
    loaded = loaded_by(f"import {name}")
    assert name in loaded
    assert sorted(loaded & {"asyncio", "socket", "_socket", "ssl", "_ssl", "uvloop", "threading"}) == []


# --- the disk ---------------------------------------------------------------------------------


def disk_uses(module: str) -> Iterator[str]:
    """Yield each place where a module could reach the disk by itself."""
    for name, line, _ in all_imports(module):
        first, _, rest = name.partition(".")
        if first in DISK_MODULES or (first == "os" and rest and rest not in OS_WITHOUT_DISK):
            yield f"{where(module, line)} imports {name}"
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            yield f"{where(module, node.lineno)} calls open()"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            if node.attr not in OS_WITHOUT_DISK:
                yield f"{where(module, node.lineno)} uses os.{node.attr}"


def test_one_module_touches_the_files_of_a_served_folder() -> None:
    others = [m for m in modules() if unit(m) == "apps.files" and modules()[m].name not in DISK_DOORS]
    assert [use for module in others for use in disk_uses(module)] == []


def test_only_the_root_goes_through_the_door() -> None:
    users = {m for m in modules() if any(target == "apps.files.door" for target, _, _ in own_imports(m))}
    assert users <= {"apps.files.root"}


def test_each_app_loads_its_page_in_one_place() -> None:
    readers: dict[str, list[str]] = {}
    for module in modules():
        if any(name.startswith("importlib.resources") for name, _, _ in all_imports(module)):
            readers.setdefault(unit(module), []).append(module)
    assert {app: found for app, found in readers.items() if len(found) > 1} == {}


# --- the mirror -------------------------------------------------------------------------------


def mirrored_sources() -> set[str]:
    found = {path.relative_to(SOURCES) for path in SOURCES.rglob("*.py") if "page" not in path.parts}
    return {str(path.parent / f"test_{path.name}") for path in found if not path.name.startswith("__")}


def mirroring_tests() -> set[str]:
    found = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    return {str(path) for path in found if path.parts[0] not in TESTS_ACROSS | TESTS_OF_THE_WHOLE}


def test_every_source_file_has_its_test_file() -> None:
    assert sorted(mirrored_sources() - mirroring_tests()) == []


def test_every_test_file_has_its_source_file() -> None:
    assert sorted(mirroring_tests() - mirrored_sources()) == []


def test_folders_of_tests_are_no_packages() -> None:
    assert sorted((ROOT / "tests").rglob("__init__.py")) == []


# --- sizes ------------------------------------------------------------------------------------


def test_files_stay_within_the_wall() -> None:
    lengths = {module: len(path.read_bytes().splitlines()) for module, path in modules().items()}
    long = {m: n for m, n in lengths.items() if n > FILE_WALL}
    assert {m: n for m, n in long.items() if m not in EXCUSED_FILES} == {}
    assert set(EXCUSED_FILES) - set(long) == set(), "excused, but no longer in need of it"


def test_functions_stay_within_the_wall() -> None:
    long = {f.name: f.lines for f in all_functions() if f.lines > FUNCTION_WALL}
    assert {name: n for name, n in long.items() if name not in EXCUSED_LENGTH} == {}
    assert set(EXCUSED_LENGTH) - set(long) == set(), "excused, but no longer in need of it"


def test_nine_functions_in_ten_are_short() -> None:
    long = sorted(f.name for f in all_functions() if f.lines > FUNCTION_GUIDE)
    assert len(long) <= len(all_functions()) / 10, f"over {FUNCTION_GUIDE} lines: {long}"


def test_functions_take_few_parameters() -> None:
    many = {f.name: f.parameters for f in all_functions() if f.parameters > PARAMETER_WALL}
    assert {name: n for name, n in many.items() if name not in EXCUSED_PARAMETERS} == {}
    assert set(EXCUSED_PARAMETERS) - set(many) == set(), "excused, but no longer in need of it"
