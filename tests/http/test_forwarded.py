"""Forwarded and X-Forwarded-*: RFC 7239's own examples, walks along chains of proxies, and what visitors try."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.http.forwarded import Claim, FieldChoice, Forwarding, Node, parse_node
from portico.http.proxies import Proxies

TRUSTED = Forwarding(Proxies(["127.0.0.1", "10.0.0.0/8", "unix", "2001:db8:cafe::/64"]))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        # RFC 7239 sections 4 and 6
        ("192.0.2.43", Node("192.0.2.43", 0)),
        ("192.0.2.43:47011", Node("192.0.2.43", 47011)),
        ("[2001:db8:cafe::17]", Node("2001:db8:cafe::17", 0)),
        ("[2001:db8:cafe::17]:4711", Node("2001:db8:cafe::17", 4711)),
        ("[2001:db8:cafe::17]:_obf", Node("2001:db8:cafe::17", 0)),
        ("192.0.2.60:_port", Node("192.0.2.60", 0)),
        ("unknown", None),
        ("_gazonk", None),
        ("_SEVKISEK", None),
        # seen in X-Forwarded-For
        ("2001:DB8::0:1", Node("2001:db8::1", 0)),
        ("::ffff:192.0.2.1", Node("192.0.2.1", 0)),
        ("192.0.2.1:99999", Node("192.0.2.1", 0)),
        ("192.0.2.1:123456", Node("192.0.2.1", 0)),
        ("192.0.2.1:-1", Node("192.0.2.1", 0)),
        ("192.0.2.1:\xb2", Node("192.0.2.1", 0)),
        ("", None),
        ("[", None),
        ("[]", None),
        ("[192.0.2.1]", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]80", None),
        ("fe80::1%eth0", None),
        ("192.0.2.1 ", None),
        ("192.0.2.256", None),
        ("1" * 129, None),
    ],
)
def test_nodes(text: str, node: Node | None) -> None:
    assert parse_node(text) == node


X, F = "x-forwarded-for", "forwarded"
VISITOR = Node("203.0.113.9", 0)

CASES: list[tuple[str, dict[str, str], Claim | None]] = [
    ("nothing said", {}, None),
    ("empty fields", {X: "", "x-forwarded-proto": "", F: ""}, None),
    ("one proxy", {X: "203.0.113.9"}, Claim(VISITOR, "")),
    ("with a port", {X: "203.0.113.9:5000"}, Claim(Node("203.0.113.9", 5000), "")),
    ("two proxies", {X: "203.0.113.9, 10.0.0.1"}, Claim(VISITOR, "")),
    ("the visitor wrote the first", {X: "1.1.1.1, 203.0.113.9, 10.0.0.1"}, Claim(VISITOR, "")),
    ("the visitor wrote a proxy's address", {X: "10.0.0.9, 203.0.113.9"}, Claim(VISITOR, "")),
    ("the visitor wrote nonsense", {X: "<b>, 203.0.113.9"}, Claim(VISITOR, "")),
    ("only proxies", {X: "10.0.0.2, 10.0.0.1"}, Claim(Node("10.0.0.2", 0), "")),
    ("nonsense behind a proxy", {X: "nonsense, 10.0.0.1"}, Claim(Node("10.0.0.1", 0), "")),
    ("nonsense", {X: "nonsense"}, None),
    ("a hidden visitor, by TLS", {X: "unknown", "x-forwarded-proto": "https"}, Claim(None, "https")),
    ("quoted IPv6", {X: '192.0.2.43, "[2001:db8:cafe::17]"'}, Claim(Node("192.0.2.43", 0), "")),
    ("one quote", {X: '"'}, None),
    ("a scheme alone", {"x-forwarded-proto": "https"}, Claim(None, "https")),
    ("a scheme in capitals", {X: "203.0.113.9", "x-forwarded-proto": "HTTPS"}, Claim(VISITOR, "https")),
    ("a WebSocket's scheme", {X: "203.0.113.9", "x-forwarded-proto": "wss"}, Claim(VISITOR, "https")),
    ("an unknown scheme", {X: "203.0.113.9", "x-forwarded-proto": "gopher"}, Claim(VISITOR, "")),
    ("only an unknown scheme", {"x-forwarded-proto": "gopher"}, None),
    ("a scheme for each", {X: "203.0.113.9, 10.0.0.1", "x-forwarded-proto": "https, http"}, Claim(VISITOR, "https")),
    ("one scheme for all", {X: "203.0.113.9, 10.0.0.1", "x-forwarded-proto": "https"}, Claim(VISITOR, "https")),
    ("the visitor wrote a scheme", {X: "203.0.113.9", "x-forwarded-proto": "https, http"}, Claim(VISITOR, "http")),
    ("the visitor wrote both", {X: "1.1.1.1, 203.0.113.9", "x-forwarded-proto": "https, http"}, Claim(VISITOR, "http")),
    # RFC 7239 section 4 and 7.1
    ("an address", {F: "for=203.0.113.9"}, Claim(VISITOR, "")),
    ("everything", {F: "For=203.0.113.9;Proto=HTTPS;by=10.0.0.1;host=a"}, Claim(VISITOR, "https")),
    ("IPv6", {F: 'For="[2001:db8:abcd::17]:4711"'}, Claim(Node("2001:db8:abcd::17", 4711), "")),
    ("two elements", {F: 'for=203.0.113.9;proto=https, for="[2001:db8:cafe::17]";proto=http'}, Claim(VISITOR, "https")),
    ("hidden", {F: 'for="_gazonk";proto=https'}, Claim(None, "https")),
    ("unknown before a proxy", {F: "for=unknown, for=10.0.0.1"}, Claim(Node("10.0.0.1", 0), "")),
    ("the visitor wrote an element", {F: "for=1.1.1.1;proto=https, for=203.0.113.9"}, Claim(VISITOR, "")),
    ("no pair", {F: "203.0.113.9"}, None),
    ("a quote left open", {F: 'for="203.0.113.9'}, None),
    # both: a proxy that writes X-Forwarded-For hands on a visitor's Forwarded
    ("both", {X: "203.0.113.9", F: "for=1.1.1.1;proto=https"}, Claim(VISITOR, "")),
    ("a scheme and Forwarded", {"x-forwarded-proto": "http", F: "for=1.1.1.1;proto=https"}, Claim(None, "http")),
]


@pytest.mark.parametrize(("values", "claim"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_trusted_proxy_says(values: dict[str, str], claim: Claim | None) -> None:
    assert TRUSTED.read("127.0.0.1", values) == claim
    assert TRUSTED.read("unix", values) == claim
    assert TRUSTED.read("203.0.113.9", values) is None


@pytest.mark.parametrize(
    ("choice", "claim"),
    [
        ("auto", Claim(VISITOR, "")),
        ("x-forwarded", Claim(VISITOR, "")),
        ("forwarded", Claim(Node("198.51.100.1", 0), "")),
    ],
)
def test_the_fields_that_are_read_can_be_chosen(choice: FieldChoice, claim: Claim) -> None:
    forwarding = Forwarding(Proxies(["unix"]), choice)
    assert forwarding.read("unix", {X: "203.0.113.9", F: "for=198.51.100.1"}) == claim


def test_the_other_fields_do_not_stand_in_for_those_that_were_chosen() -> None:
    assert Forwarding(Proxies(["unix"]), "x-forwarded").read("unix", {F: "for=1.1.1.1"}) is None
    assert Forwarding(Proxies(["unix"]), "forwarded").read("unix", {X: "1.1.1.1"}) is None


def test_trust_in_anybody_is_trust_in_the_last_proxy_alone() -> None:
    anybody = Forwarding(Proxies(["*"]))
    assert anybody.read("198.51.100.7", {X: "1.1.1.1, 203.0.113.9"}) == Claim(VISITOR, "")


def test_a_long_chain_is_not_walked_to_its_end() -> None:
    assert TRUSTED.read("unix", {X: "203.0.113.9" + ", 10.0.0.1" * 1000}) == Claim(Node("10.0.0.1", 0), "")


@given(st.text(st.characters(max_codepoint=255), max_size=80), st.sampled_from([X, F, "x-forwarded-proto"]))
def test_whatever_is_sent_is_read_without_an_error(value: str, name: str) -> None:
    claim = TRUSTED.read("unix", {name: value})
    assert claim is None or claim.client is not None or claim.scheme


@given(st.text(st.characters(max_codepoint=255), max_size=80), st.sampled_from([X, F]))
@example('"1.1.1.1', X)
@example('for="1.1.1.1', F)
@example('for=1.1.1.1;by="', F)
def test_nothing_to_the_left_of_the_visitor_matters(value: str, name: str) -> None:
    own = "203.0.113.9" if name == X else "for=203.0.113.9"
    assert TRUSTED.read("unix", {name: f"{value}, {own}"}) == Claim(VISITOR, "")


def test_a_comma_inside_quotes_is_none() -> None:
    assert TRUSTED.read("unix", {F: 'for=1.1.1.1, for=203.0.113.9;by="_a, b, c",,'}) == Claim(VISITOR, "")
