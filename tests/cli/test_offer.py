"""Both offers fulfil the contract, and neither loads what it serves with before it is opened."""

import subprocess
import sys

from portico.cli.hosted import Composition, HostedApp
from portico.cli.offer import Offer
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.settings import App, Files

OFFERS: list[Offer] = [SharedFiles((Share("", "."),), Files()), HostedApp(Composition("main:app", App(), Files()))]


def test_what_a_session_may_ask() -> None:
    assert [(offer.path, offer.lan_words, offer.is_silent) for offer in OFFERS] == [
        ("", "lan-on", True),
        ("", "lan-on-app", False),
    ]


def test_sockets_can_be_open_before_anything_heavy_is_loaded() -> None:
    code = "import sys, portico.cli.hosted, portico.cli.hosting; print('asyncio' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False False\n"
