"""Where a browser can be, it is asked; where not, nothing happens."""

import webbrowser

import pytest

from portico.cli.browser import may_exist, open_browser


@pytest.mark.parametrize(
    ("environ", "is_expected"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"BROWSER": "w"}, True)],
)
@pytest.mark.skipif("sys.platform in ('darwin', 'win32')", reason="there is always a window there")
def test_where_a_browser_may_be(environ: dict[str, str], is_expected: bool) -> None:
    assert may_exist(environ) is is_expected
    opened: list[str] = []
    thread = open_browser("http://localhost/", environ, opened.append)
    if thread is not None:
        thread.join()
    assert opened == ["http://localhost/"] * is_expected


def test_a_browser_that_fails_is_no_accident() -> None:
    def fail(link: str) -> None:
        raise webbrowser.Error(f"cannot open {link}")

    thread = open_browser("http://localhost/", {"BROWSER": "w"}, fail)
    assert thread is not None
    thread.join()
    assert not thread.is_alive()
