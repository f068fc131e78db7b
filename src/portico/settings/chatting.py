"""The options of the chat, which only its commands import."""

from dataclasses import dataclass

from portico.settings.rows import Unit, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What `portico chat` is called, and where it keeps what is said."""

    data: str = option(
        "",
        Unit.PATH,
        "folder of the messages and files, made at the first start (portico/chat in your data folder)",
        "存放消息与文件的文件夹，首次启动时创建（默认为用户数据目录下的 portico/chat）",
        metavar="DIR",
    )
    name: str = option("", Unit.TEXT, "what this chat is called", "聊天的名称", metavar="TITLE")
    fast: bool = option(
        False,
        Unit.FLAG,
        "do not wait for the disk; a power failure may cost the last second",
        "不等待磁盘写入，断电可能丢失最后一秒的消息",
    )
