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

Nothing here starts a thread or a loop; each call returns at once, save the look-up of a host name.
"""
