"""A first UDP server: a datagram is a format of strftime, the answer is the time in it.

    python examples/steps/time_server.py 8000

What is wrong with it is in the tutorial.
"""

import socket
import sys
import time

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    datagram, peer = server.recvfrom(1024)
    server.sendto(time.strftime(datagram.decode() or "%Y-%m-%d %X").encode(), peer)
