"""The next step: answer with the file that the request names. Do not put it on a network: it serves your whole disk.

    python examples/steps/file_by_path.py 8000 examples/site

What is wrong with it is the tutorial's table of contents.
"""

import socket
import sys
from pathlib import Path

port, folder = int(sys.argv[1]), Path(sys.argv[2])
listener = socket.create_server(("127.0.0.1", port))
while True:
    connection, address = listener.accept()
    request = connection.recv(1024).decode()
    path = request.split(" ")[1] if " " in request else "/"
    try:
        body = (folder / (path.lstrip("/") or "index.html")).read_bytes()
        status = "200 OK"
    except OSError:
        body = b"there is no such file\n"
        status = "404 Not Found"
    connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    connection.close()
