"""The options of clients.

Connect    whom to talk to, and how                                      (cli/)
Fetch      what an HTTP request asks, and what becomes of the answer    (cli/)
"""

from dataclasses import dataclass

from portico.settings.rows import Unit, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What `portico get` asks."""

    method: str = option(
        "", Unit.TEXT, "request method (GET; POST with data)", "请求方法（默认 GET，有数据时为 POST）", short="-X"
    )
    header: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "a header field; 'NAME:' leaves one out, @FILE reads several; repeatable",
        "请求头字段；'名称:' 表示去掉该字段，@文件 从文件读取多个；可重复",
        many=True,
        short="-H",
        metavar="'NAME: VALUE'",
    )
    data: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "send a form: a=1&b=2, or @FILE (- is standard input); several are joined by &",
        "发送表单：a=1&b=2 或 @文件（- 为标准输入）；多个以 & 连接",
        many=True,
        short="-d",
        metavar="DATA",
    )
    json: str | None = option(None, Unit.TEXT, "send JSON: a text, or @FILE", "发送 JSON：文本或 @文件", metavar="JSON")
    form: tuple[str, ...] = option(
        (),
        Unit.TEXT,
        "send a multipart form: a=1, a=@FILE, a=<FILE; repeatable",
        "发送 multipart 表单：a=1、a=@文件、a=<文件；可重复",
        many=True,
        short="-F",
        metavar="NAME=VALUE",
    )
    upload: str | None = option(
        None,
        Unit.PATH,
        "send a file by PUT; - is standard input",
        "以 PUT 上传文件；- 为标准输入",
        short="-T",
        metavar="FILE",
    )
    head: bool = option(False, Unit.FLAG, "ask for the head alone", "只请求响应头", short="-I")
    auth: str = option(
        "", Unit.TEXT, "Basic authentication", "Basic 认证的用户名和密码", short="-u", metavar="USER:PASSWORD"
    )
    agent: str = option("", Unit.TEXT, "the User-Agent", "User-Agent 的值", short="-A", metavar="TEXT")
    cookies: str = option(
        "",
        Unit.PATH,
        "keep cookies in this file (the format of cookies.txt)",
        "在此文件中保存 cookie（cookies.txt 格式）",
        short="-b",
        metavar="FILE",
    )
    compressed: bool = option(True, Unit.FLAG, "ask for a compressed answer", "请求压缩的响应")
    follow: bool = option(True, Unit.FLAG, "follow redirects", "跟随重定向")
    max_redirects: int = option(10, Unit.COUNT, "most redirects followed", "最多跟随的重定向次数", bounds=(1, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What becomes of an answer to `portico get`."""

    output: str = option(
        "",
        Unit.PATH,
        "write to this file, or into this folder; - is standard output",
        "写入此文件或此文件夹；- 为标准输出",
        short="-o",
        metavar="FILE",
    )
    remote_name: bool = option(
        False, Unit.FLAG, "write to a file of the name it has there", "以服务器给出的名称保存为文件", short="-O"
    )
    force: bool = option(False, Unit.FLAG, "replace a file that exists", "覆盖已有的文件")
    continue_: bool = option(False, Unit.FLAG, "go on with a download that was cut off", "继续中断的下载", short="-c")
    parallel: int = option(
        1, Unit.COUNT, "connections for one large file", "下载一个大文件时使用的连接数", bounds=(1, 16)
    )
    sha256: str = option("", Unit.TEXT, "the file must have this checksum", "文件须符合此校验和", metavar="HEX")
    include: bool = option(False, Unit.FLAG, "show the head of the answer too", "同时显示响应头", short="-i")
    verbose: bool = option(
        False, Unit.FLAG, "show both heads as they were sent", "按原样显示请求头与响应头", short="-v"
    )
    show_secrets: bool = option(
        False, Unit.FLAG, "with -v: credentials and cookies too", "与 -v 同用：也显示凭据与 cookie"
    )
    fail: bool = option(False, Unit.FLAG, "end with 4 for a status of 400 and above", "状态码为 400 及以上时以 4 结束")
    quiet: bool = option(False, Unit.FLAG, "no progress, no remarks", "不显示进度与说明", short="-q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the request of `portico get` gets there. Times in seconds."""

    insecure: bool = option(False, Unit.FLAG, "trust any certificate", "不验证证书", short="-k")
    cacert: str = option(
        "", Unit.PATH, "trust the certificates of this file alone", "只信任此文件中的证书", metavar="FILE"
    )
    cert: str = option("", Unit.PATH, "our own certificate", "客户端证书", metavar="FILE")
    key: str = option(
        "", Unit.PATH, "its key, where not in the same file", "证书的私钥（不在同一文件时）", metavar="FILE"
    )
    unix_socket: str = option("", Unit.PATH, "connect to this socket file", "连接此套接字文件", metavar="PATH")
    proxy: str = option(
        "",
        Unit.TEXT,
        "use this proxy (https_proxy, http_proxy, all_proxy)",
        "使用此代理（默认 https_proxy、http_proxy、all_proxy）",
        short="-x",
        metavar="URL",
    )
    no_proxy: bool = option(False, Unit.FLAG, "use no proxy", "不使用代理")
    connect_timeout: float = option(10.0, Unit.SECONDS, "time to connect", "建立连接的时限", bounds=(0.01, 86_400))
    timeout: float = option(60.0, Unit.SECONDS, "longest silence", "最长的静默时间", bounds=(0.01, 86_400))
    max_time: float | None = option(
        None, Unit.SECONDS, "time for all of it", "全部过程的时限", bounds=(0.01, 31_536_000)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """How `portico connect` finds somebody, and how it talks. Times in seconds."""

    listen: bool = option(
        False, Unit.FLAG, "wait at the address until somebody connects", "在此地址等待对方连接", short="-l"
    )
    keep: bool = option(
        False,
        Unit.FLAG,
        "go on sending after the peer has ended its side; with --listen: wait for the next one",
        "对方结束发送后仍继续发送；与 --listen 同用：等待下一个连接",
        short="-k",
    )
    encoding: str = option(
        "auto",
        Unit.TEXT,
        "charset of the text on the terminal (auto: UTF-8 or GB18030, as the peer writes)",
        "终端上文本的字符编码（auto：随对方使用 UTF-8 或 GB18030）",
        short="-e",
        metavar="NAME",
    )
    crlf: bool = option(False, Unit.FLAG, "end what we send with CRLF", "发送的每行以 CRLF 结尾")
    hex: bool = option(
        False, Unit.FLAG, "show both directions as hex and text", "以十六进制与文本显示双向数据", short="-x"
    )
    wait: float | None = option(
        None,
        Unit.SECONDS,
        "silence that ends it after the end of our input (the peer decides; UDP: 1s)",
        "输入结束后，静默多久即退出（默认等对方结束；UDP 为 1s）",
        bounds=(0, 31_536_000),
    )
    connect_timeout: float = option(10.0, Unit.SECONDS, "time to connect", "建立连接的时限", bounds=(0.01, 86_400))
    insecure: bool = option(False, Unit.FLAG, "tls: trust any certificate", "tls：不验证证书")
    cacert: str = option(
        "", Unit.PATH, "tls: trust the certificates of this file alone", "tls：只信任此文件中的证书", metavar="FILE"
    )
    cert: str = option("", Unit.PATH, "tls: our own certificate", "tls：客户端证书", metavar="FILE")
    key: str = option(
        "", Unit.PATH, "tls: its key, where not in the same file", "tls：证书的私钥（不在同一文件时）", metavar="FILE"
    )
