"""An application is found in a folder by reading, not by importing; several are listed."""

from pathlib import Path

import pytest

from portico.cli.discovery import Found, discover
from portico.gateway.loading import LoadError

FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"
FLASK = "import flask\n\nserver = flask.Flask(__name__)\n"
FACTORY = "from flask import Flask\n\ndef create_app(config=None, *, debug=False):\n    return Flask(__name__)\n"
WSGI = "def application(environ, start_response):\n    return []\n"
ASGI = "async def anything(scope, receive, send): ...\n"
MANAGE = "import os\n\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{}')\n"
DJANGO_WSGI = "from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n"
DJANGO_ASGI = DJANGO_WSGI.replace("wsgi", "asgi")
BROKEN = "raise SystemExit('this must not be imported')\n"


def project(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("files", "reference", "where"),
    [
        ({"main.py": FASTAPI}, "main:app", "main.py"),
        ({"main.py": FASTAPI + BROKEN}, "main:app", "main.py"),
        ({"odd.py": FASTAPI.replace("app =", "odd: FastAPI =")}, "odd:odd", "odd.py"),
        ({"main.py": "import fastapi as f\na = app = f.FastAPI()\n"}, "main:app", "main.py"),
        ({"main.py": "from fastapi import FastAPI as F\nx = F()\napi = F()\n"}, "main:api", "main.py"),
        ({"app.py": FLASK}, "app:server", "app.py"),
        ({"app.py": FACTORY}, "app:create_app()", "app.py"),
        ({"app.py": FACTORY + "application = create_app()\n"}, "app:application", "app.py"),
        ({"x.py": WSGI}, "x:application", "x.py"),
        ({"x.py": ASGI}, "x:anything", "x.py"),
        ({"app/main.py": FASTAPI, "app/__init__.py": ""}, "app.main:app", "app/main.py"),
        ({"shop/__init__.py": FACTORY}, "shop:create_app()", "shop/__init__.py"),
        (
            {"shop/__init__.py": FACTORY, "wsgi.py": "from shop import create_app\napp = create_app()\n"},
            "wsgi:app",
            "wsgi.py",
        ),
        ({"shop/a.py": FLASK, "shop/main.py": "from .a import server\n" + FASTAPI}, "shop.main:app", "shop/main.py"),
        ({"one.py": FASTAPI, "two.py": "import one\n" + FASTAPI}, "two:app", "two.py"),
        ({"main.py": FASTAPI, "broken.py": "def f(:\n", "null.py": "\0"}, "main:app", "main.py"),
        (
            {"main.py": FASTAPI, "test_main.py": FASTAPI, "tests/x.py": FASTAPI, "setup.py": FASTAPI},
            "main:app",
            "main.py",
        ),
        ({"main.py": FASTAPI, "env/x.py": FASTAPI, "env/pyvenv.cfg": ""}, "main:app", "main.py"),
        ({"main.py": FASTAPI, "my-app.py": FASTAPI, ".hidden/x.py": FASTAPI}, "main:app", "main.py"),
    ],
)
def test_what_is_found(tmp_path: Path, files: dict[str, str], reference: str, where: str) -> None:
    assert discover(project(tmp_path, files), {}) == Found(reference, where)


@pytest.mark.parametrize(
    ("settings", "extra", "reference"),
    [
        ("shop.settings", "", "shop.wsgi:application"),
        ("shop.settings", "ASGI_APPLICATION = 'shop.asgi.application'\n", "shop.asgi:application"),
        ("shop.settings.local", "", "shop.wsgi:application"),
    ],
)
def test_django(tmp_path: Path, settings: str, extra: str, reference: str) -> None:
    module = reference.partition(":")[0].replace(".", "/")
    files = {
        "manage.py": MANAGE.format(settings),
        f"{settings.replace('.', '/')}.py": extra,
        "shop/wsgi.py": DJANGO_WSGI,
        "shop/asgi.py": DJANGO_ASGI,
        "main.py": FASTAPI,
    }
    assert discover(project(tmp_path, files), {}) == Found(reference, f"Django: manage.py, {module}.py")


def test_a_manage_py_that_leads_nowhere(tmp_path: Path) -> None:
    files = {"manage.py": MANAGE.format("shop.settings"), "main.py": FASTAPI}
    assert discover(project(tmp_path, files), {}).reference == "main:app"


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("hello", "hello"),
        ("hello.py", "hello"),
        ("./web/hello.py:app2", "web.hello:app2"),
        ("hello:create_app('dev')", "hello:create_app('dev')"),
    ],
)
def test_what_flask_was_told(value: str, reference: str) -> None:
    assert discover(".", {"FLASK_APP": value}) == Found(reference, "FLASK_APP")


def refusal(folder: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(LoadError) as caught:
        discover(folder, {})
    return str(caught.value), caught.value.frames


def test_several_are_commands_to_copy(tmp_path: Path) -> None:
    files = {"api.py": FASTAPI, "web.py": FLASK, "zoo/main.py": FASTAPI}
    message, commands = refusal(project(tmp_path, files))
    assert message.endswith(" has 2 applications; say which:")
    assert commands == (f"  portico run api:app --app-dir {tmp_path}", f"  portico run web:server --app-dir {tmp_path}")


def test_folders_below_count_where_there_is_nothing_above(tmp_path: Path) -> None:
    files = {"shop/main.py": FASTAPI, "zoo/main.py": FASTAPI, "examples/main.py": FASTAPI, "tool.py": "x = 1\n"}
    commands = refusal(project(tmp_path, files))[1]
    assert [command.split()[2] for command in commands] == ["shop.main:app", "zoo.main:app"]


def test_two_that_import_each_other_are_both_listed(tmp_path: Path) -> None:
    files = {"one.py": "import two\n" + FASTAPI, "two.py": "import one\n" + FASTAPI}
    assert [command.split()[2] for command in refusal(project(tmp_path, files))[1]] == ["one:app", "two:app"]


def test_a_file_that_is_no_python_where_there_is_nothing_else(tmp_path: Path) -> None:
    message, frames = refusal(project(tmp_path, {"app.py": "app = Flask(__name__\n", "old.py": "def f(:\n"}))
    assert message == f"{tmp_path}/app.py cannot be imported: SyntaxError: '(' was never closed"
    assert frames[:2] == (f'  File "{tmp_path}/app.py", line 1', "    app = Flask(__name__")


@pytest.mark.parametrize("name", ["src/shop/web.py", "src/shop/__init__.py"])
def test_modules_in_src(tmp_path: Path, name: str) -> None:
    message, commands = refusal(project(tmp_path, {name: FACTORY, "tool.py": "x = 1\n"}))
    assert message.endswith(" has its modules in src:")
    module = name.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert commands == (f"  portico run '{module}:create_app()' --app-dir {tmp_path}/src",)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"main.py": "print('hello')\n"},
        {"main.py": "app = make()\n"},
        {"main.py": "app = x[0]()\n"},
        {"app.py": "def create_app(config): ...\n"},
        {"app.py": "def create_app(*, config): ...\n"},
        {"__init__.py": FASTAPI},
    ],
)
def test_nothing_is_found(tmp_path: Path, files: dict[str, str]) -> None:
    assert "has no application that can be recognised" in refusal(project(tmp_path, files))[0]


def test_a_folder_that_is_missing() -> None:
    assert "has no application" in refusal("/nowhere")[0]
