"""A first TCP server: print what arrives, answer it, hang up. One client at a time, one message of 1024 bytes.

    python examples/steps/reply_server.py 8000

What is wrong with it is in the tutorial.
"""

import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, address = listener.accept()
    question = connection.recv(1024)
    print(address, question.decode("gbk"))
    connection.sendall("ok, 问题正在处理中...".encode("gbk"))
    connection.close()
