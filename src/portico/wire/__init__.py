"""The wire: bytes to messages and back, without a socket in sight.

    fields.py   one field line            bytes -> Field
    head.py     a request head            bytes -> Request, remembering what repeats
    body.py     a body's framing          bytes -> BodyReceived ... MessageEnded
    answer.py   a response head           status and fields -> bytes, framed by us
    http1.py    the codecs, both roles    feed(bytes) -> events, send_*(...), outgoing() -> bytes
    events.py   their vocabulary

    handshake.py   the way from HTTP to WebSocket (RFC 6455 section 4), as fields and a head
    frames.py      frame heads and masks          bytes -> FrameHead
    deflate.py     permessage-deflate (RFC 7692)  bytes -> bytes, bounded
    websocket.py   the codec, both roles          feed(bytes) -> events, send_*(...), outgoing() -> bytes
    messages.py    its vocabulary, and close frames

    charset.py     people's text                  bytes <-> text, the charset found out
    lines.py       lines of it                    feed(bytes) -> lines; what a terminal may be shown

A codec is driven like this; nothing in it waits, and nothing in it raises for what a peer sent:

    events = codec.feed(data)        one exchange at a time: bytes behind it are kept
    codec.send_answer(...)           when the exchange is over, feed(b"") goes on with what was kept
    transport.writelines(codec.outgoing())
    if codec.closing: transport.close()
"""
