"""The public names of Portico and their signatures, compared with tests/public_api.txt.

Public is what `portico` itself hands out, and every name without an underscore in the pure modules, which programs
import directly. A change here is a change for users: when it is meant, write the file anew with

    python tests/test_public_api.py

and say in CHANGELOG.md what they have to do.
"""

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

import portico

SOURCES = Path(__file__).parent.parent / "src" / "portico"
SNAPSHOT = Path(__file__).parent / "public_api.txt"
PURE = ("errors.py", "settings/*.py", "http/*.py", "wire/*.py")


def is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__init__"


def describe(node: ast.stmt, prefix: str) -> Iterator[str]:
    """Yield a line for a public statement, and for a class one more for each public member."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if is_public(node.name):
            kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            marks = "".join(f"@{ast.unparse(mark)} " for mark in node.decorator_list)
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield f"{marks}{kind} {prefix}{node.name}({ast.unparse(node.args)}){returns}"
        case ast.ClassDef() if is_public(node.name):
            bases = ", ".join(map(ast.unparse, node.bases))
            yield f"class {prefix}{node.name}({bases})"
            for member in node.body:
                yield from describe(member, f"{prefix}{node.name}.")
        case ast.AnnAssign(target=ast.Name() as target) if is_public(target.id):
            yield f"{prefix}{target.id}: {ast.unparse(node.annotation)}"
        case ast.Assign():
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (f"{prefix}{name}" for name in names if is_public(name))


def surface() -> list[str]:
    """Return the whole public surface, one name a line, sorted within each module."""
    lines = sorted(f"portico.{name}" for name in getattr(portico, "__all__", ()))
    for pattern in PURE:
        for path in sorted(SOURCES.glob(pattern)):
            module = "portico." + ".".join(path.relative_to(SOURCES).with_suffix("").parts)
            found = [line for node in ast.parse(path.read_bytes()).body for line in describe(node, "")]
            lines += ["", f"# {module.removesuffix('.__init__')}", *found] if found else []
    return lines


def test_public_names_are_those_of_the_snapshot() -> None:
    expected = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    changes = list(difflib.unified_diff(expected, surface(), "public_api.txt", "the sources", lineterm="", n=0))
    assert changes == [], "\n".join([*changes, "if this is meant: python tests/test_public_api.py"])


def test_every_name_handed_out_exists() -> None:
    names = getattr(portico, "__all__", ())
    assert [name for name in names if not hasattr(portico, name)] == []


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(surface()) + "\n", encoding="utf-8")
