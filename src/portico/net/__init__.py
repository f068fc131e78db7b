"""Sockets: where a server listens, who else is there, and under which names it is reached.

    parse_address("[::1]:8000")             addresses: text -> Address
      listen(address)                       listening: Address -> bound sockets, or PortTaken / ConfigError
        holder(port)                        ports: who has it, for PortTaken's message
        own_addresses()                     lan: what could have been meant, for "not an address of this machine"
    activated_sockets()                     activation: those that systemd opened
      address_of(socket)                    listening: the port that port 0 turned into
        url(address)                        addresses: what a person opens
      lan_addresses(), own_names()          lan: what others on the network open; what a Host field may say
    refuse_new(sockets)                     closing: nobody new in the queue, which can be served to its end
    close(sockets)                          listening: also removes the socket file that listen made

    connect(address, timeout_s=10)          connecting: a client's way in, connect_async on an event loop
      resolve(host, port, timeout_s=10)     resolving: a name -> endpoints, in time
      client_context()                      tls: whom to trust

What serves starts no thread and no loop; each call returns at once, save the look-up of a host name. A client's
look-up runs in a thread, so that it has a deadline.
"""
