"""The options of the chat, which only its commands import."""

from dataclasses import dataclass

from portico.settings.rows import Unit, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What `portico chat` keeps where, and by which ways people come in."""

    data: str = option(
        "",
        Unit.PATH,
        "folder of the messages and files, made at the first start (portico/chat in your data folder)",
        "存放消息与文件的文件夹，首次启动时创建（默认为用户数据目录下的 portico/chat）",
        metavar="DIR",
    )
    name: str = option("", Unit.TEXT, "what this chat is called", "聊天的名称", metavar="TITLE")
    line_port: int | None = option(
        None,
        Unit.COUNT,
        "port for netcat and the like (2323, or the next free one)",
        "供 netcat 等工具使用的端口（默认 2323，被占用则取下一个空闲端口）",
        bounds=(0, 65_535),
        metavar="N",
    )
    udp_port: int | None = option(
        None,
        Unit.COUNT,
        "port for UDP (2324, or the next free one)",
        "UDP 端口（默认 2324，被占用则取下一个空闲端口）",
        bounds=(0, 65_535),
        metavar="N",
    )
    lines: bool = option(True, Unit.FLAG, "take lines of text over TCP", "接受 TCP 文本行")
    datagrams: bool = option(True, Unit.FLAG, "take text over UDP", "接受 UDP 文本")
    fast: bool = option(
        False,
        Unit.FLAG,
        "do not wait for the disk; a power failure may cost the last second",
        "不等待磁盘写入，断电可能丢失最后一秒的消息",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How hard `portico chat soak` tries. Times in seconds."""

    users: int = option(100, Unit.COUNT, "virtual users", "虚拟用户数", bounds=(2, 100_000), metavar="N")
    seconds: float = option(
        30.0, Unit.SECONDS, "how long they talk", "发言持续时间", bounds=(1, 7 * 86_400), metavar="TIME"
    )
    rate: int = option(
        100, Unit.COUNT, "messages a second, of all together", "全体每秒消息数", bounds=(1, 100_000), metavar="N"
    )
    room: int = option(
        40,
        Unit.COUNT,
        "people in each room; all of them get a message",
        "每个房间的人数",
        bounds=(2, 5_000),
        metavar="N",
    )
    over_tcp: int = option(
        20,
        Unit.COUNT,
        "percent of the users with frames over TCP; who is on no other way has a WebSocket",
        "通过 TCP 收发帧的用户百分比，未指定其他方式的用户使用 WebSocket",
        bounds=(0, 100),
        metavar="N",
    )
    over_lines: int = option(
        10,
        Unit.COUNT,
        "percent of the users at netcat, half of them in GBK",
        "使用 netcat 文本行的用户百分比，其中一半用 GBK",
        bounds=(0, 100),
        metavar="N",
    )
    over_udp: int = option(
        10,
        Unit.COUNT,
        "percent of the users on UDP, acknowledged",
        "使用 UDP（带确认）的用户百分比",
        bounds=(0, 100),
        metavar="N",
    )
    chaos: bool = option(
        False,
        Unit.FLAG,
        "kill and restart the server meanwhile; reset, stall and abandon connections; keep users away",
        "期间强杀并重启服务器，重置、停滞、丢弃连接，并让部分用户离线",
    )
    kills: int = option(
        0,
        Unit.COUNT,
        "chaos with so many kills, however long they take",
        "破坏期间至少强杀服务器的次数，直到达到为止",
        bounds=(0, 100_000),
        metavar="N",
    )
    stop: float = option(
        0.0,
        Unit.SECONDS,
        "stop a reader process for so long, and let it run, by turns; tell what that costs the others",
        "让一个读取进程轮流暂停与继续，每次这么久，并报告对其他用户的影响",
        bounds=(0, 3_600),
        metavar="TIME",
    )
    pause: float = option(
        3.0, Unit.SECONDS, "between two breaks", "两次破坏的间隔", bounds=(0.1, 3_600), metavar="TIME"
    )
    seed: int = option(1, Unit.COUNT, "what chance begins with", "随机种子", bounds=(0, 1 << 53), metavar="N")
    data: str = option(
        "",
        Unit.PATH,
        "folder for the data, which is kept; it has to be empty (one that is removed)",
        "数据文件夹，必须为空，结束后保留（默认使用临时文件夹）",
        metavar="DIR",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How `portico talk` reaches somebody. Times in seconds."""

    listen: str = option(
        "",
        Unit.TEXT,
        "UDP: hear whoever writes to this port of ours (on every interface, or on one: HOST:PORT)",
        "UDP：在本机此端口接收任何人发来的消息（只写端口表示所有网卡，也可写 HOST:PORT）",
        short="-l",
        metavar="PORT",
    )
    encoding: str = option(
        "auto",
        Unit.TEXT,
        "charset of the text (auto: UTF-8 or GB18030, as the other side writes)",
        "文本的字符编码（auto：随对方使用 UTF-8 或 GB18030）",
        short="-e",
        metavar="NAME",
    )
    wait: float | None = option(
        None,
        Unit.SECONDS,
        "silence that ends it after the end of our input (the other side decides; UDP: 1s)",
        "输入结束后，静默多久即退出（默认等对方结束；UDP 为 1s）",
        bounds=(0, 31_536_000),
    )
    connect_timeout: float = option(10.0, Unit.SECONDS, "time to connect", "建立连接的时限", bounds=(0.01, 86_400))
    login: str = option(
        "",
        Unit.TEXT,
        "a chat: sign in as this (a visitor of the desk)",
        "聊天服务：以此登录名登录（默认作为访客联系客服台）",
    )
    name: str = option("", Unit.TEXT, "a chat: what a visitor is called", "聊天服务：访客的称呼")
