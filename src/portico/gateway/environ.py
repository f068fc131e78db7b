"""The environ of a WSGI application (PEP 3333, RFC 3875 section 4.1): a request and its origin to a fresh dict.

Native strings hold bytes as ISO 8859-1, as PEP 3333 wants it. What equal requests share is made once: the entries of a
block of fields, and the whole of it for a head that repeats; an application may do to its dict what it likes.

Fields with an underscore in their name are left out, or they could pose as others (`X_Real_IP` as `X-Real-IP`); so is
Proxy, which many a library would take for the environment variable of that name (httpoxy, CVE-2016-5385).
"""

from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from portico.gateway.contract import Origin
from portico.http.message import Field, Request

Environ = dict[str, Any]

_MAX_BLOCKS, _MAX_BLOCK = 1024, 2048
_VERSIONS = {10: "HTTP/1.0", 11: "HTTP/1.1"}
_PORTS = {"http": "80", "https": "443"}
# RFC 3875 4.1.2 and 4.1.3: these two stand without HTTP_.
_BARE = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH"}


class _Template(NamedTuple):
    """The environ of a head that repeats, but for what differs with each connection. owner: whose it is."""

    owner: "Environs"
    server: tuple[str, int | None]
    scheme: str
    environ: Environ


class Environs:
    """Makes the environs of one application.

    root_path: where it is mounted, as `/prefix`; taken off PATH_INFO where that begins with it, and left alone where
    a proxy has done so before. fixed: entries that are the same for every request (`wsgi.version` and the like).
    """

    def __init__(self, root_path: str, fixed: Environ) -> None:
        self._root = root_path.strip("/").encode().decode("latin-1")
        if self._root:
            self._root = "/" + self._root
        self._fixed = {**fixed, "SCRIPT_NAME": self._root}
        self._blocks: dict[int, tuple[tuple[Field, ...], Environ]] = {}

    def make(self, request: Request, origin: Origin) -> Environ:
        """Return a new environ, complete but for `wsgi.input`."""
        client, server, scheme = origin
        known = request.remembered
        if type(known) is _Template and known.owner is self and known.server == server and known.scheme == scheme:
            environ = known.environ.copy()
        else:
            environ = self._build(request, server, scheme)
            # A copy is worth its while from the second of several equal heads on.
            is_repeated = known is self or type(known) is _Template
            request.remembered = _Template(self, server, scheme, environ.copy()) if is_repeated else self
        if client is None:
            environ["REMOTE_ADDR"] = ""
        else:
            environ["REMOTE_ADDR"] = client[0]
            environ["REMOTE_PORT"] = str(client[1])
        if request.cookie:
            environ["HTTP_COOKIE"] = request.cookie
        return environ

    def _build(self, request: Request, server: tuple[str, int | None], scheme: str) -> Environ:
        environ = self._block(request).copy()
        target = request.target
        path = request.path
        if "%" in path:
            path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        root = self._root
        if root and (path.startswith(root + "/") or path == root):
            path = path[len(root) :]
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = path if path[:1] == "/" else ""  # `*` and authorities are no paths (RFC 3875 4.1.5)
        environ["QUERY_STRING"] = request.query or ""
        environ["REQUEST_URI"] = environ["RAW_URI"] = target
        environ["SERVER_PROTOCOL"] = _VERSIONS[request.version]
        environ["wsgi.url_scheme"] = scheme
        if target[0] != "/" and "HTTP_HOST" in environ:
            environ["HTTP_HOST"] = request.authority  # RFC 9112 3.2.2: an absolute target overrides Host
        name, port = server
        if port is None:  # a unix socket; PEP 3333 wants a name and a port all the same
            host = request.authority
            name = host if host.endswith("]") else host.rpartition(":")[0] or host or "localhost"
            port_text = _PORTS[scheme]
        else:
            port_text = str(port)
        environ["SERVER_NAME"] = name
        environ["SERVER_PORT"] = port_text
        return environ

    def _block(self, request: Request) -> Environ:
        """Return the fixed entries and those that the fields make; the caller copies them."""
        fields = request.fields
        known = self._blocks.get(id(fields))
        if known is not None and known[0] is fields:
            return known[1]
        values = request.values
        entries = self._fixed | {
            _BARE.get(field.environ_key, field.environ_key): values[field.name]
            for field in fields
            if "_" not in field.name and field.name != "proxy"
        }
        is_secret = "authorization" in values or "proxy-authorization" in values
        if not is_secret and sum(map(len, values.values())) <= _MAX_BLOCK:
            if len(self._blocks) >= _MAX_BLOCKS:
                self._blocks.clear()
            self._blocks[id(fields)] = (fields, entries)
        return entries
