"""How somebody comes in from a page, and leaves: what a page has sent in, a token out.

    sign_in     {login, password}                 -> {token, me}
    use_link    {token}                           -> {token, me}     a one-time link
    sign_up     {login, password, name, lang?}    -> {token, me}     where that is allowed
    visit       {name?, lang?}                    -> {token, me}     somebody without an account
    sign_out                                      -> {}              the device that asks is forgotten

A token is given once and kept by the page; it comes back in `hello`, or in the field Authorization: Bearer, and never
in a URL or a cookie, so that no log has it and no other page sends it. A sign-in that fails takes as long, and says the
same, whether the login exists or not; how often it may fail is counted for the address and for the login.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from portico.apps.chat import frames, links, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.frames import text
from portico.apps.chat.log import Change
from portico.apps.chat.operations import SIGNED_OUT
from portico.apps.chat.passwords import MAX_PASSWORD
from portico.apps.chat.people import Person
from portico.apps.chat.session import House, Me

_MAX_TYPED: Final = 200  # characters of a field, before it is looked at
_MAX_LINK: Final = 200
_VISITOR_MS: Final = 180 * 86_400_000
_WRONG: Final = "the login or the password is wrong"
LANGUAGES: Final = ("en", "zh")
_VISITORS: Final = {"en": "Visitor", "zh": "访客"}

Answer = dict[str, Any]


class Gate(NamedTuple):
    """What decides who may come in.

    verify: tells whether a password fits a hash; takes as long for "", which nothing fits.
    may: how many seconds somebody has to wait before trying something again, 0 for now; given who (an address, or
    "login:NAME") and what ("connect", "signin", "signup", "link", "visitor", "upload"). Raises Rejected for an address
    that is blocked.
    hash_password: makes one; raises Rejected for a password that is too weak. None: nobody can sign up.
    redeem: finds out, once, whose one-time link it is; raises Rejected. None: there are no such links.
    end_device: takes nothing more from the sessions of a device that was signed out, by its number.
    """

    verify: Callable[[str, str], Awaitable[bool]]
    may: Callable[[str, str], float] = lambda who, what: 0.0
    hash_password: Callable[[str], Awaitable[str]] | None = None
    redeem: Callable[[Change, str], int] | None = None
    end_device: Callable[[int], None] = lambda device: None


class Caller(NamedTuple):
    """Who asks. address: the peer's. label: what the device is called in the list of devices."""

    address: str
    label: str


class Entrance:
    """See the module. Each takes what the page has sent, and who asks; raises Rejected."""

    def __init__(self, house: House, gate: Gate) -> None:
        self._gate = gate
        self._house = house
        self._store = house.hub.store

    def check_rate(self, who: str, what: str) -> None:
        """Raise Rejected "rate" for what is done too often."""
        wait_s = self._gate.may(who, what)
        if wait_s:
            raise Rejected("rate", "too many attempts; wait a little", retry_s=wait_s)

    async def sign_in(self, body: Mapping[str, Any], caller: Caller) -> Answer:
        """Take a login and a password."""
        login, password = text(body, "login", most=_MAX_TYPED), text(body, "password", most=MAX_PASSWORD)
        self.check_rate(caller.address, "signin")
        self.check_rate(f"login:{login.strip().casefold()}", "signin")
        found = await self._store.read(lambda db: people.person_by_login(db, login))
        is_right = await self._gate.verify(found[1] if found else "", password)
        if found is None or not is_right or found[0].is_disabled:
            raise Rejected("auth", _WRONG)
        return await self._admit(found[0].id, caller)

    async def use_link(self, body: Mapping[str, Any], caller: Caller) -> Answer:
        """Take the token of a one-time link."""
        redeem, token = self._gate.redeem, text(body, "token", most=_MAX_LINK)
        if redeem is None:
            raise Rejected("not_offered", "there are no links to sign in with")
        self.check_rate(caller.address, "link")
        person = await self._store.write(lambda change: redeem(change, token))
        return await self._admit(person, caller, link=token)

    async def sign_up(self, body: Mapping[str, Any], caller: Caller) -> Answer:
        """Make an account."""
        hash_password = self._gate.hash_password
        if hash_password is None:
            raise Rejected("not_offered", "accounts are made by the administrators here")
        login, name = people.check_login(text(body, "login", most=_MAX_TYPED)), text(body, "name", most=_MAX_TYPED)
        password = text(body, "password", most=MAX_PASSWORD)
        self.check_rate(caller.address, "signup")
        hashed = await hash_password(password)
        language = _language(body)

        def make(change: Change) -> int:
            number = people.add_person(change, "user", name, login=login, password=hashed)
            people.set_language(change, number, language)
            return number

        return await self._admit(await self._store.write(make), caller)

    async def visit(self, body: Mapping[str, Any], caller: Caller) -> Answer:
        """Let somebody in who has no account."""
        language = _language(body)
        name = text(body, "name", most=_MAX_TYPED, default="").strip() or _VISITORS[language or "en"]
        self.check_rate(caller.address, "visitor")

        def make(change: Change) -> int:
            number = people.add_person(change, "visitor", name)
            people.set_language(change, number, language)
            return number

        return await self._admit(await self._store.write(make), caller, lasts_ms=_VISITOR_MS)

    async def sign_out(self, me: Me) -> Answer:
        """Forget the device that asks; its connections are closed, and other devices say hello again."""
        hub = self._house.hub
        await self._store.write(lambda change: people.revoke(change, me.person, me.device))
        self._gate.end_device(me.device)  # a wire that is slow hears of it late, and might go on until then
        for reader in list(hub.readers.get(me.person, ())):
            reader.say(frames.write("bye", code=SIGNED_OUT, why="signed out; say hello again"))
            hub.leave(reader)
        return {}

    async def _admit(self, person: int, caller: Caller, *, lasts_ms: int | None = None, link: str = "") -> Answer:
        """Give a person another device. link: by which it comes, "" for none."""

        def work(change: Change) -> tuple[str, Person]:
            ends_ms = None if lasts_ms is None else change.now_ms + lasts_ms
            token = people.add_device(change, person, caller.label, ends_ms=ends_ms)
            if link:
                links.trust(change, link, token)
            return token, people.person(change.db, person)

        token, found = await self._store.write(work)
        return {"token": token, "me": describe(found)}


def describe(person: Person) -> Answer:
    """Return what a person's own pages are told of the person."""
    return {
        "id": person.id,
        "name": person.name,
        "kind": person.kind,
        "login": person.login,
        "lang": person.language,
    }


def _language(body: Mapping[str, Any]) -> str:
    language = text(body, "lang", most=35, default="").partition("-")[0].lower()
    return language if language in LANGUAGES else ""
