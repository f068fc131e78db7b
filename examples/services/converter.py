"""A converter for datagrams: kilometres in, miles out.

portico run converter:convert --app-dir examples/services --bind udp://:9000
nc -u localhost 9000
"""

from portico import datagram_service


@datagram_service
def convert(datagram, peer):
    """Answer a number; whatever else comes gets one line that says so."""
    try:
        return f"{float(datagram[:20]) / 1.609344:.3f}\n".encode()
    except ValueError:
        return b"error: send a number of kilometres\n"
