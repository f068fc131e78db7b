"""Which proxy a request goes through: what the environment says, as curl and its kin read it.

    http_proxy, https_proxy   for URLs of that scheme: http://user:password@HOST:PORT, or HOST:PORT
    all_proxy                 for schemes without one of their own
    no_proxy                  what is asked directly, with commas or blanks between:
        example.com  .example.com  *.example.com    that host and all below it
        10.1.2.3  ::1  10.0.0.0/8  fd00::/8         an address, a network; names are not looked up to compare
        example.com:8000  [::1]:8000                only that port
        *                                           everything

The lower-case form of a name counts before the upper-case one, even if it is empty. HTTP_PROXY is not read in a CGI
script, where REQUEST_METHOD is set and whoever asks chooses HTTP_PROXY by a field "Proxy" (CVE-2016-5385).

As with curl, localhost goes through the proxy unless no_proxy lists it. A proxy without a port has its scheme's port.
A value is looked at only when a URL needs it: `all_proxy=socks5://...` harms nobody whose http_proxy we can use.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from portico.errors import UsageError
from portico.http.proxies import parse_ip
from portico.http.url import Url, parse_url

_EVERYTHING: Final = "*"
_PORT = re.compile(r":[0-9]+\Z")


class _Exempt(NamedTuple):
    """One entry of no_proxy: a name, or a network; port None is any."""

    name: str
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None


class Proxies:
    """The proxies to use. Immutable.

    http, https: the proxy for URLs of that scheme as text, "" for none.
    exempt: as no_proxy. An entry that no host can match, such as `192.168.*`, has no effect.
    """

    def __init__(self, http: str = "", https: str = "", *, exempt: str = "") -> None:
        self._by_scheme = {"http": http.strip(), "https": https.strip()}
        entries = exempt.replace(",", " ").split()
        self._is_off = _EVERYTHING in entries
        self._exempt = tuple(rule for entry in entries if (rule := _parse_entry(entry)) is not None)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Proxies":
        """Read the variables that the module's docstring lists. environ: os.environ, as a rule."""
        others = _variable(environ, "all_proxy")
        return cls(
            _variable(environ, "http_proxy") or others,
            _variable(environ, "https_proxy") or others,
            exempt=_variable(environ, "no_proxy"),
        )

    def __bool__(self) -> bool:
        return not self._is_off and any(self._by_scheme.values())

    def find(self, url: Url) -> Url | None:
        """Return the proxy to ask for `url`, with its userinfo; None to ask directly, as sockets always are.

        Raises UsageError where the proxy's URL is none, or is not http or https.
        """
        text = self._by_scheme[url.scheme]
        if not text or self._is_off or url.socket or self._is_exempt(url):
            return None
        try:
            return parse_url(text)
        except UsageError as exc:
            raise UsageError(
                f"the proxy for {url.scheme} cannot be used: {exc}; write it as http://HOST:PORT in {url.scheme}_proxy"
            ) from exc

    def _is_exempt(self, url: Url) -> bool:
        host = url.host.removesuffix(".")
        address = parse_ip(host)
        for name, network, port in self._exempt:
            if port not in (None, url.port):
                continue
            if network is not None and address is not None and address in network:
                return True
            if name and (host == name or host.endswith(f".{name}")):
                return True
        return False


def _variable(environ: Mapping[str, str], name: str) -> str:
    if name in environ:
        return environ[name].strip()
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return ""
    return environ.get(name.upper(), "").strip()


def _parse_entry(entry: str) -> _Exempt | None:
    """Read one entry of no_proxy; None where no host can match it."""
    address = parse_ip(entry)
    if address is not None:
        return _Exempt("", ip_network(address))
    try:
        if "/" in entry:
            return _Exempt("", ip_network(entry, strict=False))
        url = parse_url("http://" + entry.removeprefix("*").removeprefix("."))
    except (UsageError, ValueError):
        return None
    port = url.port if _PORT.search(entry) else None
    address = parse_ip(url.host)
    return _Exempt(url.host.removesuffix("."), None if address is None else ip_network(address), port)
