"""A browser for a URL, where there can be a window for it."""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress


def may_exist(environ: Mapping[str, str]) -> bool:
    """Say whether opening a browser can mean a window, not a text browser in this very terminal."""
    return sys.platform in ("darwin", "win32") or any(
        environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )


def open_browser(
    link: str, environ: Mapping[str, str], opener: Callable[[str], object] | None = None
) -> threading.Thread | None:
    """Open a URL in a thread, since a browser that BROWSER names is waited for.

    opener: what opens it, None for the standard library's way. Returns the thread, None where there is no browser.
    """
    if not may_exist(environ):
        return None
    thread = threading.Thread(target=_open, args=(link, opener), name="browser", daemon=True)
    thread.start()
    return thread


def _open(link: str, opener: Callable[[str], object] | None) -> None:
    import webbrowser

    with suppress(webbrowser.Error, OSError):
        (opener or webbrowser.open)(link)
