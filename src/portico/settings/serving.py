"""The options of whatever serves.

    Limits     what a peer may use            (server/)
    Log        what is written about requests (server/, cli/)
    Listen     where we listen                (cli/)
    Files      what of a folder is served     (apps/files/)
    App        how an application is run      (gateway/, cli/)
    Messages   what a WebSocket may use       (server/)
    Trust      whom we believe about a peer   (server/)
    Processes  how many, and for how long     (workers/)
    Service    how a socket service speaks    (server/, apps/services/)

Defaults are safe. A limit of 0 is not "no limit": it is refused by its bounds.
"""

from dataclasses import dataclass

from portico.settings.rows import GIB, KIB, MIB, Unit, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer, and all peers together, may use. Times in seconds, sizes in bytes."""

    max_head: int = option(
        64 * KIB,
        Unit.SIZE,
        "largest request head",
        "请求头部的最大字节数",
        bounds=(256, 16 * MIB),
    )
    max_fields: int = option(
        100, Unit.COUNT, "most header fields in a request", "请求头字段的最大个数", bounds=(1, 10_000)
    )
    max_url: int = option(8 * KIB, Unit.SIZE, "longest URL", "URL 的最大长度", bounds=(16, 1 * MIB))
    max_body: int = option(1 * GIB, Unit.SIZE, "largest request body", "请求正文的最大字节数", bounds=(1, 1 << 50))
    first_byte_timeout: float = option(
        30.0,
        Unit.SECONDS,
        "time for a new connection to send its first byte",
        "新连接发来第一个字节的时限",
        bounds=(0.1, 86_400),
    )
    head_timeout: float = option(
        10.0,
        Unit.SECONDS,
        "time from a head's first byte to its end",
        "从头部第一个字节到头部结束的时限",
        bounds=(0.1, 86_400),
    )
    keep_alive_timeout: float = option(
        60.0,
        Unit.SECONDS,
        "how long an idle connection is kept",
        "空闲连接的保留时间",
        bounds=(0.1, 86_400),
    )
    min_rate: int = option(
        1 * KIB,
        Unit.SIZE,
        "slowest body or answer, bytes a second",
        "正文或应答的最低速率（字节每秒）",
        bounds=(1, 1 * GIB),
    )
    rate_window: float = option(
        30.0,
        Unit.SECONDS,
        "over how long the slowest rate is measured",
        "测量最低速率的时间窗口",
        bounds=(0.1, 86_400),
    )
    max_connections: int = option(
        10_000, Unit.COUNT, "most connections at once", "同时连接数上限", bounds=(1, 10_000_000)
    )
    max_connections_per_address: int = option(
        1_000,
        Unit.COUNT,
        "most connections at once from one address",
        "单个地址的同时连接数上限",
        bounds=(1, 10_000_000),
    )
    max_active: int = option(
        1_000, Unit.COUNT, "most requests answered at once", "同时处理的请求数上限", bounds=(1, 10_000_000)
    )
    max_waiting: int = option(
        1_000,
        Unit.COUNT,
        "most requests that wait for their turn; beyond it 503",
        "排队等待的请求数上限，超出则返回 503",
        bounds=(0, 10_000_000),
    )
    answer_timeout: float = option(
        300.0,
        Unit.SECONDS,
        "time for an application to begin its answer",
        "应用开始应答的时限",
        bounds=(0.1, 86_400),
    )
    drain: float = option(
        30.0,
        Unit.SECONDS,
        "time for running transfers to finish when stopping",
        "停止时等待传输完成的时间",
        bounds=(0, 86_400),
    )


LOG_FORMATS = ("pretty", "common", "combined", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is written about each request, and where."""

    log_format: str = option("pretty", Unit.CHOICE, "form of the access log", "访问日志的格式", choices=LOG_FORMATS)
    log_file: str = option("", Unit.PATH, "write the access log to this file", "把访问日志写入此文件", metavar="FILE")
    quiet: bool = option(False, Unit.FLAG, "no access log", "不输出访问日志")
    request_id: bool = option(
        False,
        Unit.FLAG,
        "name each request: X-Request-Id for the application and on the answer, ids in the JSON log",
        "为每个请求编号：应用与应答都带 X-Request-Id，JSON 日志记录各种编号",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where we listen."""

    port: int | None = option(
        None,
        Unit.COUNT,
        "port (8000, or the next free one)",
        "端口（默认 8000，被占用则取下一个空闲端口）",
        bounds=(0, 65_535),
        short="-p",
        metavar="N",
    )
    bind: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "address to listen on: HOST, HOST:PORT, unix:PATH, unix:PATH?mode=660 or fd:N; udp://HOST:PORT for services; "
        "repeatable",
        "监听地址：HOST、HOST:PORT、unix:PATH、unix:PATH?mode=660 或 fd:N；服务还可用 udp://HOST:PORT；可重复",
        many=True,
        short="-b",
        metavar="ADDRESS",
    )
    lan: bool = option(
        False, Unit.FLAG, "share on the local network (all interfaces)", "在局域网内共享（监听所有网卡）"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What of a folder is served, and how."""

    links: str = option(
        "inside",
        Unit.CHOICE,
        "which symbolic links are followed",
        "跟随哪些符号链接：仅限目录内、不跟随或全部",
        choices=("inside", "none", "all"),
    )
    hidden: bool = option(False, Unit.FLAG, "serve dotfiles too", "也提供以点开头的隐藏文件")
    host_name: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "a further host name we answer to; repeatable",
        "额外应答的主机名，可重复",
        many=True,
        metavar="NAME",
    )
    production: bool = option(
        False,
        Unit.FLAG,
        "permanent redirects, any Host, no hints on error pages",
        "生产模式：永久重定向，接受任意 Host，错误页不给提示",
    )
    listing: bool = option(True, Unit.FLAG, "show folders without an index page", "列出没有首页的文件夹")
    spa: bool = option(
        False, Unit.FLAG, "answer unknown pages with /index.html", "未知页面一律返回 /index.html（单页应用）"
    )
    clean_urls: bool = option(False, Unit.FLAG, "/about answers with about.html", "/about 返回 about.html")
    error_page: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "page for an error status, as 404=oops.html; repeatable",
        "某个错误状态的页面，如 404=oops.html，可重复",
        many=True,
        metavar="STATUS=PATH",
    )
    base: str = option("/", Unit.TEXT, "serve below this path", "在此路径下提供服务", metavar="/PREFIX")
    header: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "a field added to every answer; repeatable",
        "为每个应答添加的头字段，可重复",
        many=True,
        metavar="'NAME: VALUE'",
    )
    cors: bool = option(False, Unit.FLAG, "let pages of any origin read (CORS)", "允许任意来源的页面读取（CORS）")
    isolate: bool = option(
        False,
        Unit.FLAG,
        "cross-origin isolation (COOP and COEP), for WebAssembly threads",
        "跨源隔离（COOP 与 COEP），供 WebAssembly 线程使用",
    )
    compress: bool = option(True, Unit.FLAG, "compress text on the fly", "即时压缩文本")


INTERFACES = ("auto", "wsgi", "asgi", "stream", "datagram")
LIFESPANS = ("auto", "on", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """How an application is run."""

    interface: str = option("auto", Unit.CHOICE, "what the application speaks", "应用使用的接口", choices=INTERFACES)
    app_dir: str = option(
        "", Unit.PATH, "where modules are found (here)", "查找模块的目录（默认当前目录）", metavar="DIR"
    )
    threads: int = option(
        4,
        Unit.COUNT,
        "threads for a WSGI application; 0 runs it on the event loop",
        "运行 WSGI 应用的线程数，0 表示直接在事件循环中运行",
        bounds=(0, 10_000),
    )
    max_threads: int = option(
        64,
        Unit.COUNT,
        "most threads, when requests have to wait for one",
        "请求需要等待线程时，线程数的上限",
        bounds=(1, 10_000),
    )
    buffer_body: int = option(
        64 * KIB,
        Unit.SIZE,
        "body that is received before a thread is taken",
        "占用线程之前先接收的正文字节数",
        bounds=(0, 1 * GIB),
    )
    lifespan: str = option("auto", Unit.CHOICE, "ASGI lifespan events", "ASGI 的 lifespan 事件", choices=LIFESPANS)
    root_path: str = option("", Unit.TEXT, "path the application is mounted at", "应用挂载的路径", metavar="/PREFIX")
    static: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "serve a folder beside the application, as /static=public; repeatable",
        "在应用之外提供一个文件夹，如 /static=public，可重复",
        many=True,
        metavar="/PATH=DIR",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """What a WebSocket may use. Times in seconds, sizes in bytes."""

    ws_max_message: int = option(
        16 * MIB, Unit.SIZE, "largest WebSocket message", "WebSocket 消息的最大字节数", bounds=(125, 1 * GIB)
    )
    ws_max_rate: int = option(
        10_000,
        Unit.COUNT,
        "most WebSocket frames a second from one peer",
        "单个连接每秒的 WebSocket 帧数上限",
        bounds=(1, 10_000_000),
    )
    ws_ping_interval: float = option(
        20.0, Unit.SECONDS, "silence before a ping", "静默多久后发送 ping", bounds=(0.1, 86_400)
    )
    ws_ping_timeout: float = option(
        20.0, Unit.SECONDS, "time to answer a ping", "应答 ping 的时限", bounds=(0.1, 86_400)
    )
    ws_close_timeout: float = option(
        10.0, Unit.SECONDS, "time to answer a close", "应答关闭帧的时限", bounds=(0.1, 86_400)
    )
    ws_compress: bool = option(True, Unit.FLAG, "compress WebSocket messages", "压缩 WebSocket 消息")


FORWARDED_FIELDS = ("auto", "x-forwarded", "forwarded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom we believe about where a request came from."""

    forwarded_allow: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "proxies whose Forwarded and X-Forwarded-* count: address, network, unix or *; repeatable",
        "信任其 Forwarded 与 X-Forwarded-* 的代理：地址、网段、unix 或 *，可重复",
        many=True,
        metavar="ADDRESS",
    )
    forwarded_field: str = option(
        "auto",
        Unit.CHOICE,
        "which fields those proxies write (auto: X-Forwarded-* where present, else Forwarded)",
        "这些代理写入的字段（auto：有 X-Forwarded-* 则用之，否则用 Forwarded）",
        choices=FORWARDED_FIELDS,
    )
    proxy_protocol: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "proxies that speak the PROXY protocol (v1, v2): address, network, unix or *; repeatable",
        "使用 PROXY 协议（v1、v2）的代理：地址、网段、unix 或 *，可重复",
        many=True,
        metavar="ADDRESS",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """How many processes, for how long, and as whom."""

    workers: int | None = option(
        None,
        Unit.COUNT,
        "worker processes under a supervisor (one process without)",
        "由主进程看管的工作进程数（默认单进程）",
        bounds=(1, 1_024),
    )
    start_timeout: float = option(
        60.0, Unit.SECONDS, "time for a worker to become ready", "工作进程就绪的时限", bounds=(0.1, 86_400)
    )
    stuck_timeout: float = option(
        60.0,
        Unit.SECONDS,
        "replace a worker whose event loop stands still for so long",
        "工作进程的事件循环停滞多久后强制更换",
        bounds=(1, 86_400),
    )
    recycle_requests: int | None = option(
        None, Unit.COUNT, "replace a worker after so many requests", "工作进程处理多少请求后更换", bounds=(1, 1 << 50)
    )
    recycle_after: float | None = option(
        None, Unit.SECONDS, "replace a worker after this time", "工作进程运行多久后更换", bounds=(1, 31_536_000)
    )
    recycle_memory: int | None = option(
        None, Unit.SIZE, "replace a worker that uses more memory", "工作进程内存超出多少后更换", bounds=(MIB, 1 << 50)
    )
    reload: bool = option(False, Unit.FLAG, "start anew when files change", "文件变化时重新启动")
    reload_dir: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "folder to watch (here); repeatable",
        "监视的文件夹（默认当前目录），可重复",
        many=True,
        metavar="DIR",
    )
    pid_file: str = option("", Unit.PATH, "write the process id to this file", "把进程号写入此文件", metavar="FILE")
    user: str = option(
        "", Unit.TEXT, "run as this user once the ports are open", "端口打开后以此用户身份运行", metavar="NAME"
    )
    group: str = option("", Unit.TEXT, "run as this group", "以此用户组身份运行", metavar="NAME")
    admin: str = option(
        "",
        Unit.TEXT,
        "address for health, readiness and metrics: loopback or unix",
        "健康检查、就绪检查与指标的地址：本机或 unix",
        metavar="ADDRESS",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a TCP or UDP service speaks with people. Times in seconds, sizes in bytes."""

    encoding: str = option(
        "auto",
        Unit.TEXT,
        "charset of people's text (auto: UTF-8 or GB18030, as the peer writes)",
        "文本的字符编码（auto：随对方使用 UTF-8 或 GB18030）",
        metavar="NAME",
    )
    max_line: int = option(64 * KIB, Unit.SIZE, "longest line of text", "一行文本的最大字节数", bounds=(16, 16 * MIB))
    idle_timeout: float = option(
        300.0,
        Unit.SECONDS,
        "silence after which a connection is closed",
        "连接静默多久后关闭",
        bounds=(0.1, 31_536_000),
    )
    datagram_rate: int = option(
        1_000,
        Unit.COUNT,
        "most UDP answers a second to one address; this machine's own are not counted",
        "每秒发往单个地址的 UDP 应答数上限，本机地址不计",
        bounds=(1, 10_000_000),
    )
