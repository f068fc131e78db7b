"""A Flask application: a greeting, and a page with a table of one hundred rows."""

from flask import Flask, Response, render_template
from jinja2 import DictLoader
from table import ROWS

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head><body><h1>{{ title }}</h1>
<table><thead><tr><th>No.</th><th>Name</th><th>City</th><th>Amount</th></tr></thead><tbody>
{% for row in rows %}<tr><td>{{ row.number }}</td><td>{{ row.name }}</td><td>{{ row.city }}</td>
<td>{{ '%.2f'|format(row.amount) }}</td></tr>
{% endfor %}</tbody></table></body></html>
"""

app = Flask(__name__)
app.jinja_loader = DictLoader({"page.html": PAGE})


@app.get("/")
def hello() -> Response:
    return Response("Hello, world!\n", mimetype="text/plain")


@app.get("/page")
def page() -> str:
    return render_template("page.html", title="One hundred rows", rows=ROWS)
