"""Applications are found, imported and recognised; what cannot be had is told to the person whose it is."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.gateway.loading import LoadError, load

WSGI = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"
ASGI = "async def app(scope, receive, send): ...\n"
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write files into a folder of its own, which is returned; what is imported from it is forgotten in the end."""
    path, modules = list(sys.path), set(sys.modules)

    def files(**texts: str) -> str:
        for name, text in texts.items():
            target = tmp_path / (name.replace("__", "/") + ".py")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return str(tmp_path)

    yield files
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")) + str(
            getattr(sys.modules[name], "__path__", "")
        ):
            del sys.modules[name]


def refusal(text: str, folder: str, interface: str = "auto") -> tuple[str, str]:
    """Load what cannot be; return the message and the frames below it."""
    with pytest.raises(LoadError) as caught:
        load(text, folder, interface)
    return str(caught.value), "\n".join(caught.value.frames)


@pytest.mark.parametrize(
    ("text", "source", "name", "interface"),
    [
        ("one:app", WSGI, "one:app", "wsgi"),
        ("one:app", ASGI, "one:app", "asgi"),
        ("one", WSGI, "one:app", "wsgi"),
        ("one", WSGI.replace("app", "application"), "one:application", "wsgi"),
        ("one", ASGI.replace("app", "api"), "one:api", "asgi"),
        ("one", ASGI + "def create_app(): ...\n", "one:app", "asgi"),
        ("one", f"app = 5\n{ASGI.replace('app', 'api')}", "one:api", "asgi"),
        ("one", f"def create_app():\n    return other\n{WSGI.replace('app', 'other')}", "one:create_app()", "wsgi"),
        ("one:site.app", "class site:\n    @staticmethod\n    async def app(scope, receive, send): ...\n", "", "asgi"),
        (
            "one:make('wsgi')",
            "def make(kind):\n    return {'wsgi': lambda environ, start_response: []}[kind]",
            "",
            "wsgi",
        ),
        (
            "one:make(k=1)",
            "def make(*, k):\n    assert k == 1\n    return lambda environ, start_response: []",
            "",
            "wsgi",
        ),
    ],
)
def test_what_is_found(write: Write, text: str, source: str, name: str, interface: str) -> None:
    loaded = load(text, write(one=source))
    assert (loaded.name, loaded.interface) == (name or text, interface)
    assert callable(loaded.app)


STREAM = "async def talk(stream): ...\n"
DECORATED = "from portico import datagram_service, stream_service\n"


@pytest.mark.parametrize(
    ("text", "source", "name", "interface"),
    [
        ("one:talk", STREAM, "one:talk", "stream"),
        ("one:clock", "def clock(datagram, peer): ...\n", "one:clock", "datagram"),
        ("one", STREAM.replace("talk", "app"), "one:app", "stream"),
        ("one", f"{DECORATED}@stream_service\n{STREAM}", "one:talk", "stream"),
        ("one", f"{DECORATED}@datagram_service\ndef clock(a, b): ...\n{STREAM}", "one:clock", "datagram"),
        ("one", f"{DECORATED}@stream_service\n{STREAM}{WSGI}", "one:app", "wsgi"),
    ],
)
def test_services_are_found(write: Write, text: str, source: str, name: str, interface: str) -> None:
    loaded = load(text, write(one=source))
    assert (loaded.name, loaded.interface) == (name, interface)


def test_of_two_services_one_must_be_named(write: Write) -> None:
    both = f"{DECORATED}@stream_service\n{STREAM}@stream_service\nasync def greet(stream): ...\n"
    message, _ = refusal("one", write(one=both))
    assert "name its application: " in message
    assert "talk" in message
    assert "greet" in message


def test_a_module_in_a_package(write: Write) -> None:
    assert load("shop.web", write(shop__web=WSGI)).name == "shop.web:app"


def test_the_folder_comes_first_in_the_path_and_once(write: Write) -> None:
    folder = write(two=WSGI, three=WSGI)
    load("two", folder)
    load("three", folder)
    assert sys.path[0] == folder
    assert sys.path.count(folder) == 1


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_the_interface_may_be_chosen(write: Write, interface: str) -> None:
    assert load("four:app", write(four="app = lambda *args: None"), interface).interface == interface


def test_text_that_is_no_reference() -> None:
    with pytest.raises(UsageError, match="does not begin with the name of a module"):
        load("my-app", "")


def test_a_folder_that_is_missing() -> None:
    assert refusal("main:app", "/nowhere") == ("there is no folder '/nowhere' to find main in", "")


@pytest.mark.parametrize(
    ("files", "text", "hint"),
    [
        ({"app": WSGI}, "absent", "app.py: portico run app:app"),
        ({"app": WSGI}, "absent:web", "app.py: portico run app:web"),
        ({"mian": WSGI, "other": ""}, "main:app", "mian.py: portico run mian:app"),
        ({"alpha": WSGI, "wsgi": WSGI}, "absent", "wsgi.py: portico run wsgi:app"),
        ({"pack__server": WSGI, "zzz": ""}, "server:app", "pack/server.py: portico run pack.server:app"),
        ({"app": WSGI}, "absent:make()", "app.py: portico run 'app:make()'"),
        ({"alpha": "", "beta": ""}, "xyzzy", "alpha.py, beta.py"),
        ({}, "absent", "no Python files; --app-dir says where they are"),
    ],
)
def test_a_module_that_is_missing(write: Write, files: dict[str, str], text: str, hint: str) -> None:
    folder = write(**files)
    module = text.partition(":")[0]
    where = f" --app-dir {folder}" if "portico run" in hint else ""
    assert refusal(text, folder) == (f"no module named {module!r}; the folder {folder} has {hint}{where}", "")


def test_this_folder_is_called_so(write: Write) -> None:
    folder, before = write(sixth=WSGI), os.getcwd()
    os.chdir(folder)
    try:
        assert refusal("absent", "")[0] == "no module named 'absent'; this folder has sixth.py: portico run sixth:app"
    finally:
        os.chdir(before)


def test_many_modules_are_not_all_named(write: Write) -> None:
    folder = write(**{f"m{number}": "" for number in range(9)})
    assert refusal("xyzzy", folder)[0].endswith("has m0.py, m1.py, m2.py, m3.py, m4.py, m5.py and 3 more")


def test_environments_and_hidden_folders_are_not_looked_into(write: Write, tmp_path: Path) -> None:
    folder = write(env__lib="", __pycache__x="")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert "has no Python files" in refusal("absent", folder)[0]


def test_a_part_of_a_package_that_is_missing(write: Write) -> None:
    folder = write(shop__web=WSGI)
    message, frames = refusal("shop.wed:app", folder)
    assert message == f"no module named 'shop.wed'; the folder {folder} has shop/web.py: " + (
        f"portico run shop.web:app --app-dir {folder}"
    )
    assert frames == ""


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("import no_such_thing", "pip install no_such_thing"),
        ("import no_such.thing", "pip install no_such"),
        ("from yaml_not import x", "pip install yaml_not"),
    ],
)
def test_a_dependency_that_is_missing(write: Write, source: str, remedy: str) -> None:
    folder = write(seventh=f"x = 1\n{source}\n")
    message, frames = refusal("seventh:app", folder)
    name = source.split()[1]
    assert message.startswith(f"no module named {name.partition('.')[0]!r}; ")
    assert message.endswith(f"seventh.py, line 2 needs it; {remedy}")
    assert f'seventh.py", line 2, in <module>\n    {source}' in frames


def test_a_neighbour_that_is_imported_as_if_it_were_at_the_top(write: Write) -> None:
    folder = write(pack__web="import neighbour", pack__neighbour="")
    message = refusal("pack.web:app", folder)[0]
    assert message.endswith("there is pack/neighbour.py: write from pack import neighbour, or --app-dir pack"), message


def test_a_module_that_imports_its_own_missing_name(write: Write) -> None:
    """The name that is missing is the one that was asked for, but the module itself is there."""
    folder = write(eighth__web="import eighth.other")
    message, frames = refusal("eighth.web:app", folder)
    assert "needs it" in message
    assert "import eighth.other" in frames


@pytest.mark.parametrize(
    ("source", "said", "line"),
    [
        ("x = 1\ny = 1 / 0\n", "ninth cannot be imported: ZeroDivisionError: division by zero", "y = 1 / 0"),
        ("import sys\nsys.exit('enough')\n", "ninth cannot be imported: SystemExit: enough", "sys.exit('enough')"),
        ("def f(:\n", "ninth cannot be imported: SyntaxError: ", "def f(:"),
        ("import json\njson.loads('{')\n", "ninth cannot be imported: json.decoder.JSONDecodeError: ", "json.loads"),
        ("from json import nothing\n", "ninth cannot be imported: ImportError: cannot import name", "from json import"),
    ],
)
def test_a_module_that_fails(write: Write, source: str, said: str, line: str) -> None:
    message, frames = refusal("ninth:app", write(ninth=source))
    assert message.startswith(said)
    assert "\n" not in message
    assert line in frames
    assert "portico" not in frames
    assert "importlib" not in frames


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("apps = 1\ndef main(): ...", "tenth:app", "tenth has no 'app'; did you mean apps?"),
        ("import json\nfrom os import path\ndef web(): ...", "tenth:app", "tenth has no 'app'; it has web"),
        ("x = 1", "tenth:app", "tenth has no 'app'; there is nothing in it that can be called"),
        ("class site:\n    app = 1", "tenth:site.api", "tenth:site has no 'api'; did you mean site.app?"),
        ("x = 1", "tenth:x.y.z", "tenth:x has no 'y'; there is nothing in it that can be called"),
        ("app = 5", "tenth:app", "tenth:app is an int, not an application; an application can be called"),
        ("app = 5", "tenth:app()", "tenth:app is a int, it cannot be called; leave out the brackets"),
        (
            "def web(): ...",
            "tenth",
            "tenth has none of app, application, api, asgi_app, wsgi_app; name its application: it has web",
        ),
        ("def app(): ...", "tenth", "tenth:app takes no arguments; if it makes the application, write tenth:app()"),
    ],
)
def test_an_attribute_that_is_no_application(write: Write, source: str, text: str, said: str) -> None:
    assert refusal(text, write(tenth=source)) == (said, "")


def test_what_is_chosen_must_be_callable_too(write: Write) -> None:
    assert "is an int" in refusal("tenth:app", write(tenth="app = 5"), "wsgi")[0]


@pytest.mark.parametrize(
    ("source", "text", "said", "line"),
    [
        (
            "def make():\n    raise KeyError('DB')",
            "eleventh:make()",
            "eleventh:make() failed: KeyError: 'DB'",
            "raise KeyError",
        ),
        ("def make(a): ...", "eleventh:make()", "eleventh:make() failed: TypeError: make() missing 1 required", ""),
        ("def make():\n    exit(3)", "eleventh:make()", "eleventh:make() failed: SystemExit: 3", "exit(3)"),
    ],
)
def test_a_factory_that_fails(write: Write, source: str, text: str, said: str, line: str) -> None:
    message, frames = refusal(text, write(eleventh=source))
    assert message.startswith(said)
    assert line in frames
