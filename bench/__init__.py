"""Portico beside other servers on one machine: `python -m bench`, or `./dev bench`.

    __main__     options, the order of the parts
    site         the files that are served
    servers      a table of servers: how each is started
    process      start and stop one, pinned to a core; CPU time and memory of its process tree
    cases        a table of loads
    load         put one load on one server: wrk, or a client for large files
    rounds       every case on every server, in interleaved rounds
    idle         memory of 10 000 idle connections
    startup      from the command line to the first answer; the price of `import portico`
    report       BENCH.md: what was measured beside what was promised
    chart        chart.svg

The server has one core for itself, the load generator another. CPU time per request over the server's process tree is
the figure to trust: requests per second depend on what else the machine does. Linux only, because of /proc.
"""
