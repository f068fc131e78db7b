"""HTTP semantics as pure functions: what the fields of a message mean (RFC 9110, 9111, 6265bis).

In: field values as text (ISO 8859-1, as `message.Request.values` holds them), sizes, times as arguments.
Out: decisions, as values. Nothing here reads a clock, a disk or a socket, and nothing raises for what a
peer sent: a field that makes no sense has the effect that its RFC gives to nonsense, usually none.

How a handler that serves files goes through it:

    target.path_segments(request.path)            which names; None is 404
    media_types.media_type(name)                  what it is
    negotiation.choose_encoding(values.get("accept-encoding"), sidecars)
                                                  in which form
    conditional.evaluate(method, values, validators=..., now_s=...)
        fields, dates                             304, 412, or go on
    conditional.allows_range(values.get("if-range"), validators, now_s=...)
    ranges.select_ranges(values["range"], size)   which bytes; () is 416
        ranges.content_range, ranges.multipart_parts
    dates.format_date(modified_s)                 Last-Modified
    status.reason_phrase(status)                  the status line

How a client finds its way:

    url.parse_url(text)                           what somebody typed
    url.join(url, values["location"])             where a redirect leads
    jar.field_for(url, now_s)                     which cookies go along
    jar.store(url, value, now_s)                  which come back

`fields` holds the grammar that the others share: tokens, quoted strings, lists, parameters, weights.
`message` holds the request and response themselves; `cookies` stands alone.
"""
