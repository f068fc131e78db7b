"""What the chat itself says to visitors at netcat and by UDP is in their language, and in their charset: in Chinese to
whoever writes Chinese, or asks for it; in English to everybody else."""

import re

import pytest
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import SocketClient, socket_client
from tests.acceptance.chat.house import House
from tests.acceptance.chat.text_clients import netcat, program

HAN = re.compile("[\u4e00-\u9fff]")
LATIN = re.compile("[A-Za-z]{3,}")
NEITHER = re.compile(r"/token \S+|/\S+|TEXT|guest")
WELCOME = "Welcome. Type text to talk to the desk, /help for commands. 欢迎。直接输入文字即可联系客服，/help 查看命令。"
# What is said in each phase of a conversation, in the order in which a visitor meets it.
PHASES = {
    "en": (
        "You are guest-",
        "To come back to this conversation: /token ",
        "waiting for somebody who answers",
        "you are number 1 in the queue",
        "Li answers now",
        "There is no command /nonsense; /help shows all",
        "Say it so: /rate 1-5 TEXT",
        "the conversation is over; write on to open it again",
        "Bye.",
    ),
    "zh": (
        "您是 访客-",
        "断开后想继续这次会话：/token ",
        "正在等待客服接待",
        "您排在第 1 位",
        "Li 为您服务",
        "没有 /nonsense 这个命令，/help 查看全部",
        "用法：/rate 1-5 TEXT",
        "会话已结束，继续输入即可重新打开",
        "再见。",
    ),
}


async def serve(house: House, agent: SocketClient) -> tuple[int, int]:
    """Have the agent take whoever waits; return the conversation and its revision."""
    await house.pass_time(1)
    [item] = (await agent.ask("desk.list", tab="queue"))["items"]
    answer = await agent.ask("desk.take", c=item["c"], rev=item["rev"])
    return int(item["c"]), int(answer["rev"])


@acted(House)
@pytest.mark.parametrize(
    ("first", "language", "encoding"),
    [
        ("hello", "en", "utf-8"),
        ("你好，打印机坏了", "zh", "utf-8"),
        ("你好，打印机坏了", "zh", "gbk"),
        ("/lang zh\nhello", "zh", "utf-8"),
        ("/lang en\n你好，打印机坏了", "en", "gbk"),
    ],
)
async def test_at_netcat_all_phases_are_in_one_language(house: House, first: str, language: str, encoding: str) -> None:
    phases = PHASES[language]
    async with (
        socket_client(house.door, await house.account("agent", "Li")) as agent,
        netcat(house.door, encoding) as terminal,
    ):
        await terminal.type(first)
        for phase in phases[:4]:
            await terminal.until(phase)
        case, revision = await serve(house, agent)
        await terminal.until(phases[4])
        await terminal.type("/nonsense", "/rate")
        await terminal.until(phases[6])
        await agent.ask("desk.close", c=case, rev=revision)
        await terminal.until(phases[7])
        await terminal.type("q")
        await terminal.until(phases[8])
        said = [
            line for line in terminal.lines if line.partition("] ")[2].startswith("*** ") or line.startswith("*** ")
        ]
        assert [phase for phase in phases if not any(phase in line for line in said)] == []
        strange = LATIN if language == "zh" else HAN
        odd = [line for line in said if strange.search(NEITHER.sub("", line))]
        assert odd == []
        assert not any("\ufffd" in line for line in terminal.lines[1:])  # the welcome cannot know the charset


@acted(House)
@pytest.mark.parametrize(
    ("first", "language", "encoding"),
    [("hello", "en", "utf-8"), ("你好，打印机坏了", "zh", "utf-8"), ("你好，打印机坏了", "zh", "gbk")],
)
async def test_by_udp_too(house: House, first: str, language: str, encoding: str) -> None:
    phases = PHASES[language]
    async with (
        socket_client(house.door, await house.account("agent", "Li")) as agent,
        program(house.door, encoding) as sender,
    ):
        sender.send(first)
        await sender.until(lambda text: phases[2] in text)
        await sender.until(lambda text: phases[3] in text)
        case, revision = await serve(house, agent)
        await sender.until(lambda text: phases[4] in text)
        sender.send("/nonsense")
        await sender.until(lambda text: phases[5] in text)
        await agent.ask("desk.close", c=case, rev=revision)
        await sender.until(lambda text: phases[7] in text)
        strange = LATIN if language == "zh" else HAN
        odd = [text for text in sender.datagrams if strange.search(NEITHER.sub("", text))]
        assert odd == []


@acted(House)
@pytest.mark.parametrize(("language", "told"), [("en", "too many at once; slow down"), ("zh", "太快了，请慢一点")])
async def test_why_something_is_not_done_is_in_the_same_language(house: House, language: str, told: str) -> None:
    async with netcat(house.door) as terminal:
        await terminal.type(f"/lang {language}", *(f"message {number}" for number in range(30)))
        line = await terminal.until(told)
        assert (HAN.search(line) is not None) == (language == "zh")
        await terminal.type("/help")
        await terminal.until("/quit")
        helped = [line for line in terminal.lines if line.startswith("  /")]
        assert all((HAN.search(line) is not None) == (language == "zh") for line in helped)
