"""Where the wire meets sockets: connections, their deadlines and their end. Knows no application.

    HttpServer.open(sockets)                      accepting, http: what all connections share
      HttpConnection                              connection: codec and transport meet here and nowhere else
        preparing, turns                          who asks, behind which proxy; how many at once, 503 beyond
        handler(Exchange)                         exchange: the one thing an application sees; tasks, spare run it
          respond, answer, begin ... end          sending: long bodies at the pace of the peer
          upgrade                                 websocket: the transport is a WebSocket's from then on
        refuse                                    refusals: the answer to what never became a request
        access_log, metrics                       what is written down and counted
    HttpServer.drain                              lingering: nobody's answer is cut by our end

    ServiceServer.open(sockets)                   services: TCP to the one, UDP to the other
      StreamServer                                streams: as HttpServer, for services of one's own
        Conversation                              conversation: the service is called once for a connection
          function(Stream)                        stream: what it sees, on the loop or in a thread
        Replies                                   replies: a quick service answers each piece at once
      DatagramServer                              datagrams: each datagram is answered, or dropped
        Door                                      doors: one socket, and the way back to whoever asked
        Bounds                                    buckets: never a reflector, never a flood
      service_log                                 who came, what was said

`service` has the contracts, `embedded` runs a server inside somebody's program. `clock` has the time and one wheel for
all deadlines, which `deadlines` judges. `proxy_gate` stands before a connection from a proxy with the PROXY protocol,
`router` before several handlers.
"""
