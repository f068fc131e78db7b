"""A download with httpx as its documentation shows it: `fetch_httpx.py URL FILE`."""

import sys

import httpx

with httpx.stream("GET", sys.argv[1]) as answer, open(sys.argv[2], "wb") as file:
    for piece in answer.raise_for_status().iter_bytes():
        file.write(piece)
