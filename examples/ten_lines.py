"""A "website" in ten lines: every visitor gets the same page, one after the other.

python examples/ten_lines.py 8000
"""

import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, address = listener.accept()
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n")
    connection.close()
