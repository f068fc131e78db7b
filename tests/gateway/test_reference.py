"""An application's name in text and in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.gateway.reference import Call, Reference, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("main", Reference("main")),
        (" main ", Reference("main")),
        ("main:app", Reference("main", ("app",))),
        ("shop.web:app", Reference("shop.web", ("app",))),
        ("main:site.application", Reference("main", ("site", "application"))),
        ("main:create_app()", Reference("main", ("create_app",), Call((), ()))),
        ("main:make.app('x', 5)", Reference("main", ("make", "app"), Call(("x", 5), ()))),
        ("main:f(debug=True, a=['b'])", Reference("main", ("f",), Call((), (("debug", True), ("a", ["b"]))))),
        ("应用:程序", Reference("应用", ("程序",))),
    ],
)
def test_parts(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' does not begin with the name of a module; write module:attribute, as main:app"),
        (":app", "':app' does not begin with the name of a module"),
        ("my-app:app", "'my-app:app' does not begin with the name of a module"),
        ("a..b", "'a..b' does not begin"),
        ("main:", "'main:' is not the name of an application"),
        ("main:1", "'main:1' is not the name of an application"),
        ("main:a b", "'main:a b' is not the name of an application"),
        ("main:a[0]", "is not the name of an application"),
        ("main:f()()", "is not the name of an application"),
        ("main:" + "(" * 500, "is not the name of an application"),
        ("main:a\0", "is not the name of an application"),
        ("main:f(x)", r"'main:f\(x\)': the arguments must be plain values, as 'x', 5, True or"),
        ("main:f(**x)", "the arguments must be plain values"),
        ("main:f(**{'a': 1})", "the arguments must be plain values"),
        ("main:f(*x)", "the arguments must be plain values"),
        ("app.py", "'app.py' is a file; name its module: app$"),
        ("app.py:web", "'app.py:web' is a file; name its module: app:web$"),
        ("./app.py", "name its module: app$"),
        ("src/app.py:app", "name its module: app:app --app-dir src"),
        (r"src\app.py", "name its module: app --app-dir src"),
        ("/srv/app.py", "name its module: app --app-dir /srv"),
        ("../app", "name its module: app --app-dir .."),
        ("src/my-app.py", "is a file; write module:attribute"),
    ],
)
def test_what_is_none(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_reference(text)


@given(st.one_of(st.text(max_size=20), st.from_regex(r"\A[a-z.]{1,6}:[a-z.()'=,\[\]{}*0-9 ]{0,20}\Z")))
def test_any_text_is_a_reference_or_a_complaint(text: str) -> None:
    try:
        reference = parse_reference(text)
    except UsageError:
        return
    assert parse_reference(str(reference)) == reference
