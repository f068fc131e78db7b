"""Application contracts: WSGI (PEP 3333) and ASGI 3 on top of an exchange. Knows messages, not sockets.

    Asgi(exchange)      scope -> app(scope, receive, send) -> contract.Exchange
    Wsgi(exchange)      body buffered -> a thread: app(environ, start_response) -> contract.Exchange
    load("module:app")  find, import and recognise an application

Every gateway is a handler: a callable that gets an exchange and answers it, at once or by a coroutine.
"""
