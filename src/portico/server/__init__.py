"""Where the wire meets sockets: connections, their deadlines and their end. Knows no application.

    HttpServer.open(sockets)                      http: what all connections of a process share
      HttpConnection                              connection: codec and transport meet here and nowhere else
        preparing, turns                          who asks, behind which proxy; how many at once, 503 beyond
        handler(Exchange)                         exchange: the one thing an application sees; tasks, spare run it
          respond, answer, begin ... end          sending: long bodies at the pace of the peer
          upgrade                                 websocket: the transport is a WebSocket's from then on
        refuse                                    refusals: the answer to what never became a request
        access_log, metrics                       what is written down and counted
    HttpServer.drain                              lingering: nobody's answer is cut by our end

`clock` has the time and one wheel for all deadlines, which `deadlines` judges. `proxy_gate` stands before a connection
from a proxy with the PROXY protocol, `router` before several handlers.
"""
