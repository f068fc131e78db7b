"""TLS for clients: whom to trust, and what went wrong, in one line.

In: settings, an `ssl` error. Out: an `ssl.SSLContext`, a PorticoError. TLS 1.2 is the least that is spoken (RFC 8996),
the system's certificate store decides, and the name in the certificate has to be the host's (RFC 9525).
"""

import os
import ssl
from collections.abc import Sequence
from typing import Final

from portico.errors import ConfigError, Gone, PorticoError, Refused, excerpt


def client_context(
    *, verify: bool = True, ca_file: str = "", cert_file: str = "", key_file: str = "", alpn: Sequence[str] = ()
) -> ssl.SSLContext:
    """Make what a client speaks TLS with.

    verify: False trusts any server, whatever its certificate. ca_file: PEM file with the authorities to trust instead
    of the system's. cert_file, key_file: PEM files with our own certificate and its key, which may be in the first.
    alpn: protocols to offer, as ("http/1.1",), best first.
    Raises ConfigError for a file that is missing or makes no sense.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as exc:  # SSLError is one
        said = f"{ca_file} is not a PEM file with the certificates of authorities"
        raise _unreadable(exc, ca_file, said) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file:
        try:
            # The password is asked for nowhere: a key that has one is refused.
            context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
        except OSError as exc:
            said = f"{cert_file} is not a PEM file with a certificate and its key, without a password"
            raise _unreadable(exc, cert_file, said) from exc
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _unreadable(exc: OSError, path: str, said: str) -> ConfigError:
    if isinstance(exc, ssl.SSLError) or not exc.strerror:
        return ConfigError(said)
    return ConfigError(f"{exc.filename or path} cannot be read: {exc.strerror}")


# OpenSSL's x509_vfy.h. What a person sees, by the number that the verification ended with.
_UNTRUSTED: Final = {
    9: "the certificate of {host} is not valid yet; check this machine's clock",
    10: "the certificate of {host} has expired",
    18: "the certificate of {host} is self-signed, so nobody vouches for it",
    19: "the certificate of {host} comes from an authority that this machine does not trust",
    20: "the certificate of {host} comes from an authority that this machine does not trust",
    21: "the certificate of {host} comes from an authority that this machine does not trust",
    23: "the certificate of {host} has been revoked",
    62: "the certificate is not for {host} but for another name",
    64: "the certificate is not for {host} but for another address",
}
# What a server that does not speak TLS makes of our greeting, or we of its answer.
_NOT_TLS: Final = frozenset(
    "WRONG_VERSION_NUMBER RECORD_LAYER_FAILURE HTTP_REQUEST HTTPS_PROXY_REQUEST PACKET_LENGTH_TOO_LONG "
    "UNKNOWN_PROTOCOL BAD_RECORD_TYPE UNEXPECTED_MESSAGE".split()
)
_TOO_OLD: Final = frozenset("TLSV1_ALERT_PROTOCOL_VERSION UNSUPPORTED_PROTOCOL VERSION_TOO_LOW".split())
_WANTS_CERTIFICATE: Final = frozenset("TLSV13_ALERT_CERTIFICATE_REQUIRED TLSV1_ALERT_UNKNOWN_CA".split())
_NO_COMMON: Final = frozenset(
    "SSLV3_ALERT_HANDSHAKE_FAILURE TLSV1_ALERT_INSUFFICIENT_SECURITY DH_KEY_TOO_SMALL EE_KEY_TOO_SMALL".split()
)
_REASONS: Final = (
    (_NOT_TLS, "{host} does not speak TLS; use http:// or tcp://"),
    (_TOO_OLD, "{host} speaks only versions of TLS that are no longer safe; 1.2 is the least"),
    (_WANTS_CERTIFICATE, "{host} wants a certificate of ours, or does not accept the one it got"),
    (_NO_COMMON, "{host} and we have no way of encryption in common"),
)


def explain_tls(exc: OSError, host: str) -> PorticoError:
    """Translate what went wrong while TLS was agreed on or spoken.

    exc: an `ssl.SSLError`, or what the socket below raised. host: as the person wrote it.
    Returns Refused for what trying again will not change, Gone where the server has left or is silent.
    """
    host = host if host.isprintable() and host else excerpt(host)
    if isinstance(exc, ssl.SSLCertVerificationError):
        why = exc.verify_message or "it cannot be verified"
        said = _UNTRUSTED.get(exc.verify_code, "the certificate of {host} is not trusted ({why})")
        return Refused(said.format(host=host, why=why))
    if isinstance(exc, TimeoutError):
        return Gone(f"{host} does not answer in TLS; does it speak it at all?")
    reason = getattr(exc, "reason", None) or ""
    if isinstance(exc, ssl.SSLEOFError | ConnectionError | ssl.SSLZeroReturnError) or "EOF" in reason:
        return Gone(f"{host} hung up while TLS was spoken; does it speak it at all?")
    for reasons, said in _REASONS:
        if reason in reasons:
            return Refused(said.format(host=host))
    return Refused(f"TLS with {host} failed: {reason.lower().replace('_', ' ') or os.strerror(exc.errno or 0)}")
