"""What a supervisor has to tell, as values: `Event` with a text in English and in Chinese.

The supervisor hands each to the caller's `on_event`, which prints it, logs it, or drops what is below its interest.
"""

from enum import Enum
from typing import Final, Literal, NamedTuple


class Kind(Enum):
    """What has happened; `TEXTS` has a row for each."""

    STARTED = "started"
    READY = "ready"
    FAILED = "failed"
    LOST = "lost"
    STUCK = "stuck"
    RECYCLED = "recycled"
    RELOADING = "reloading"
    RELOADED = "reloaded"
    ROLLED_BACK = "rolled-back"
    WAITING = "waiting"
    GAVE_UP = "gave-up"
    RESIZED = "resized"
    STOPPING = "stopping"
    KILLED = "killed"
    CUT = "cut"


# Kinds of which a log without troubles has many.
ROUTINE: Final = frozenset({Kind.STARTED, Kind.READY})

TEXTS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.STARTED: ("worker {number} started, process {pid}", "工作进程 {number} 已启动，进程号 {pid}"),
    Kind.READY: ("worker {number} takes requests, process {pid}", "工作进程 {number} 开始接收请求，进程号 {pid}"),
    Kind.FAILED: ("worker {number} did not start: {reason}", "工作进程 {number} 启动失败：{reason}"),
    Kind.LOST: (
        "worker {number}, process {pid}, ended unasked: {reason}",
        "工作进程 {number}（进程号 {pid}）意外退出：{reason}",
    ),
    Kind.STUCK: (
        "worker {number}, process {pid}, was not heard from for {reason}; it is killed and replaced",
        "工作进程 {number}（进程号 {pid}）已有 {reason} 没有响应，将强制结束并更换",
    ),
    Kind.RECYCLED: (
        "worker {number}, process {pid}, is replaced after {reason}",
        "工作进程 {number}（进程号 {pid}）用满 {reason}，予以更换",
    ),
    Kind.RELOADING: ("starting anew: {reason}", "重新加载：{reason}"),
    Kind.RELOADED: ("started anew, {amount} of {amount} workers", "重新加载完成，共 {amount} 个工作进程"),
    Kind.ROLLED_BACK: (
        "not started anew, the workers of before go on: {reason}",
        "重新加载失败，继续使用原来的工作进程：{reason}",
    ),
    Kind.WAITING: ("waiting for a file to change", "等待文件变化"),
    Kind.GAVE_UP: ("no worker could start", "没有一个工作进程能启动"),
    Kind.RESIZED: ("workers from now on: {amount}", "工作进程数改为 {amount}"),
    Kind.STOPPING: ("stopping", "正在停止"),
    Kind.KILLED: (
        "worker {number}, process {pid}, did not end in time and is killed; requests under way: {amount}",
        "工作进程 {number}（进程号 {pid}）未能按时结束，已强制结束，有 {amount} 个请求尚未完成",
    ),
    Kind.CUT: ("requests that were cut off: {amount}", "{amount} 个请求被中断"),
}


class Event(NamedTuple):
    """One thing that has happened; a field that its kind has no use for is at its default.

    number: of the worker's seat, from 1. pid: of its process, 0 where there is none yet. amount: of workers or
    requests. reason: a few words, as the system or the worker gave them.
    """

    kind: Kind
    number: int = 0
    pid: int = 0
    amount: int = 0
    reason: str = ""

    def text(self, language: Literal["en", "zh"] = "en") -> str:
        """Return it as one line, or as several where a worker's own complaint has several."""
        return TEXTS[self.kind][language == "zh"].format(**self._asdict())
