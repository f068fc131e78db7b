"""Portico beside other servers on one machine: `python -m bench`, or `./dev bench`.

    __main__     options, the order of the parts
    suites           which cases belong together: files, applications, WebSockets, frameworks, socket services
    cases            a table of loads
    servers          a table of servers of files: how each is started
    app_servers      the same for servers of applications; the applications are in apps/
    service_servers  the same for socket services, and for clients that download; the short programs are in apps/
    site             the files that are served
    process          start and stop one, pinned to a core; CPU time and memory of its process tree
    questions        how to ask a server whether it is there: HTTP, TCP, UDP
    rounds           every case on every server, in interleaved rounds
    load             put one load on one server: wrk, or a client of our own:
                     download, upload, websocket, echo, datagrams; talk is what three of them share
    sample           what one load gave
    parts            what is no case:
                     idle     memory of 10 000 idle connections
                     crowd    10 000 clients of a greeting at once
                     fetch    a large download, by clients that take turns
                     startup  from the command line to the first answer; the price of `import portico`
    bars             what was promised
    report           BENCH.md: what was measured beside what was promised
    chart            a picture of each suite

The server has one core for itself, the load generator another. CPU time per request over the server's process tree is
the figure to trust: requests per second depend on what else the machine does. Linux only, because of /proc.
"""
