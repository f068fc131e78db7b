"""`portico get`: ask a URL, show the answer or save it.

    read_request        words -> method, fields, body                  (fetch_request.py)
    open_client         words -> TLS, proxies, cookies, timeouts
    save                the answer becomes a file, with progress       (fetch_save.py, client/download.py)
    show, copy          the answer goes to a terminal, or a pipe       (fetch_show.py)

In: the settings Fetch, Keep and Way. Out: an exit code; `get-codes` in words.py lists them. No event loop is loaded.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import click

from portico.cli.fetch_request import Asked, read_request
from portico.cli.fetch_save import Told, save
from portico.cli.group import Example, PageCommand, words_of_environment
from portico.cli.options import all_rows, collect, options_for
from portico.errors import Gone, PeerError, Refused, UsageError, excerpt
from portico.settings.asking import Fetch, Keep, Way

if TYPE_CHECKING:
    from portico.cli.fetch_trace import Trace
    from portico.client.blocking import Client
    from portico.client.proxies import Proxies

_FAILED, _ANSWERED = 1, 4
_WORST_GOOD = 399
_FOR_FILES = (("-c", "continue_"), ("--parallel", "parallel"), ("--sha256", "sha256"), ("--force", "force"))

_EXAMPLES = (
    Example("portico get example.com", "get-example-show"),
    Example("portico get :8000/api --json '{\"a\": 1}' -v", "get-example-json"),
    Example("portico get -O -c URL", "get-example-save"),
    Example("portico get -O --parallel 4 URL", "get-example-parallel"),
)


def _get(url: str, **params: Any) -> int:
    fetch, keep, way = collect(Fetch, params), collect(Keep, params), collect(Way, params)
    if not url:
        raise UsageError("there is no URL; write portico get URL")
    _check(fetch, keep, way)
    told = Told(words_of_environment(), is_quiet=keep.quiet, command=click.get_current_context().command_path)
    try:
        with closing(read_request(url, fetch)) as asked, _open_client(fetch, keep, way, told) as (client, trace):
            if keep.output not in ("", "-") or keep.remote_name:
                return save(client, asked, keep, told)
            return _show(client, asked, keep, told=told, trace=trace)
    except (Gone, Refused, PeerError) as exc:
        if isinstance(exc.__cause__, BrokenPipeError):
            return 0  # whoever reads has seen enough, as `head` has
        told.complain(exc)
        return (
            _ANSWERED if keep.fail and getattr(exc, "status", 0) > _WORST_GOOD and isinstance(exc, Refused) else _FAILED
        )


def _check(fetch: Fetch, keep: Keep, way: Way) -> None:
    """Raise UsageError for options that do not go together."""
    is_file = keep.output not in ("", "-") or keep.remote_name
    for option, name in _FOR_FILES:
        if not is_file and getattr(keep, name) != getattr(Keep(), name):
            raise UsageError(f"{option} is for files; add -o FILE or -O")
    if keep.output and keep.remote_name:
        raise UsageError("-o and -O do not go together; -o FOLDER saves under the server's name there")
    if is_file and (keep.include or fetch.head):
        raise UsageError("a head is shown, not saved; leave out -o and -O, or use -v")
    if keep.sha256 and not (len(keep.sha256) == 64 and set(keep.sha256.lower()) <= set("0123456789abcdef")):
        raise UsageError(f"--sha256 {excerpt(keep.sha256)} is not a checksum of 64 hexadecimal digits")
    if "=" in fetch.cookies and not os.path.exists(fetch.cookies):
        raise UsageError(f"--cookies {excerpt(fetch.cookies)} is no file; a cookie itself is sent by -H 'Cookie: ...'")
    if way.proxy and way.no_proxy:
        raise UsageError("--proxy and --no-proxy do not go together; choose one")


@contextmanager
def _open_client(fetch: Fetch, keep: Keep, way: Way, told: Told) -> Iterator[tuple["Client", "Trace | None"]]:
    """Make the client that the settings describe; what its jar has learnt is kept in the end."""
    from portico.cli.fetch_jar import kept_jar
    from portico.client.blocking import Client
    from portico.client.timeouts import Timeouts

    tls = None
    if way.insecure or way.cacert or way.cert:
        from portico.net.tls import client_context

        tls = client_context(
            verify=not way.insecure, ca_file=way.cacert, cert_file=way.cert, key_file=way.key, alpn=("http/1.1",)
        )
    is_head = fetch.head or fetch.method.upper() == "HEAD"
    trace = _trace(told, keep) if keep.verbose or keep.include or is_head else None
    with (
        kept_jar(fetch.cookies) as jar,
        Client(
            timeouts=Timeouts(connect_s=way.connect_timeout, read_s=way.timeout, total_s=way.max_time),
            jar=jar,
            follow=fetch.max_redirects if fetch.follow else 0,
            proxies=_proxies(way),
            tls=tls,
            unix=way.unix_socket,
            decode=fetch.compressed,
            observer=trace,
        ) as client,
    ):
        yield client, trace


def _trace(told: Told, keep: Keep) -> "Trace":
    from portico.cli.fetch_trace import Trace

    return Trace(told.line if keep.verbose else None, shows_secrets=keep.show_secrets, translate=told.translated)


def _proxies(way: Way) -> "Proxies | None":
    """Return the proxies to use, None for those that the environment names."""
    if not (way.proxy or way.no_proxy):
        return None
    from portico.client.proxies import Proxies

    return Proxies(way.proxy, way.proxy)


def _show(client: "Client", asked: Asked, keep: Keep, *, told: Told, trace: "Trace | None") -> int:
    """Write the answer to standard output; return the exit code."""
    from portico.cli.fetch_show import copy, show
    from portico.cli.screen import Screen

    out = sys.stdout.fileno()
    with client.stream(asked.method, asked.url, fields=asked.fields, body=asked.body) as response:
        head = trace.last if trace is not None and (keep.include or asked.method.upper() == "HEAD") else b""
        if os.isatty(out):
            told.remark(show(response, Screen(out, sys.stdout.encoding, os.environ), told.words, head=head))
        else:
            with told.progress(is_wanted=S_ISREG(os.fstat(out).st_mode), total=response.length) as came:
                copy(response, out, head, came)
    return _ANSWERED if keep.fail and response.status > _WORST_GOOD else 0


class _GetCommand(PageCommand):
    """The command, whose help page says in the end what the exit codes mean."""

    def get_help(self, ctx: click.Context) -> str:
        """Lay out the help page in the person's language."""
        from shutil import get_terminal_size

        from portico.cli.help import Section, page

        words = words_of_environment()
        heading = [f"{ctx.command_path}: {words('get')}", "", words("usage", line=f"{ctx.command_path} [OPTIONS] URL")]
        sections = [
            Section(words("titled", title=words("get-arguments")), [("URL", words("get-url"))]),
            *self._option_sections(words),
            Section(words("titled", title=words("other")), self._other(words)),
            Section(words("titled", title=words("examples")), [(each.line, words(each.words)) for each in _EXAMPLES]),
        ]
        return page(heading, sections, words("get-codes"), get_terminal_size().columns)


def _options() -> Iterator[click.Parameter]:
    servers = {row.attribute for row in all_rows()}
    for group in (Fetch, Keep, Way):
        for option in options_for(group, "get"):
            if option.name in servers:
                # PORTICO_HEADER is for what servers answer; here the name counts that is this command's alone.
                option.envvar = f"PORTICO_GET_{option.name}".upper()
            yield option


command = _GetCommand(
    "get",
    params=[click.Argument(["url"], metavar="URL", required=False, default=""), *_options()],
    arguments=[("URL", "get-url")],
    examples=_EXAMPLES,
    callback=_get,
)
