"""What lower layers refuse, in Chinese: their English message in, the same in Chinese out.

Errors below this layer are English, for they are made where no person's language is known. A message is made of
clauses, `no module named 'x'; main.py, line 1 needs it; pip install x`, perhaps behind a place, `portico.toml:3: `.
Each clause has a row of its own, whose {places} match anything; what no row knows stays as it is.
"""

import re
from functools import lru_cache
from typing import Final

# Several rows may fit; the first does.
ROWS: Final[tuple[tuple[str, str], ...]] = (
    # values
    ("{value} is not a whole number", "{value} 不是整数"),
    ("{value} is not of the form {form}", "{value} 的写法不对，应如 {form}"),
    ("{value} is neither yes nor no", "{value} 应为 yes 或 no"),
    ("{value} is neither true nor false", "{value} 应为 true 或 false"),
    ("{value} is not one of {values}", "{value} 不在可选值之内：{values}"),
    ("{value} is below the least allowed, {least}", "{value} 小于允许的最小值 {least}"),
    ("{value} is above the most allowed, {most}", "{value} 大于允许的最大值 {most}"),
    ("{value} is not a list of texts in quotes, as {example}", "{value} 应为带引号文本的列表，如 {example}"),
    ("{value} is not a text in quotes", "{value} 应为带引号的文本"),
    ("{value} may be repeated, so it is a list: write {example}", "{value} 可以有多个，要写成列表：{example}"),
    # portico.toml
    ("the configuration file {path} cannot be read: {why}", "无法读取配置文件 {path}：{why}"),
    ("the configuration file {path} is not UTF-8", "配置文件 {path} 不是 UTF-8 编码"),
    ("{path} is not TOML: {why}", "{path} 不符合 TOML 语法：{why}"),
    ("there is no such option", "没有这个选项"),
    ("{command} --help lists the options", "{command} --help 列出所有选项"),
    ("did you mean {name}?", "是不是 {name}？"),
    ("this is a table, written {name}", "这是一个表，写作 {name}"),
    ("a mount has no such key", "mount 没有这个键"),
    (
        "mounts are written [[mount]], each with a path and a folder or an app",
        "挂载写作 [[mount]]，每项有 path，以及 folder 或 app",
    ),
    ("a mount has a path, and either a folder or an app", "每个 mount 要有 path，并且有 folder 或 app 之一"),
    # mounts
    ("--static {value} is not /PATH=DIR, as /static=public", "--static {value} 应写作 /路径=文件夹，如 /static=public"),
    (
        "{value} is not a path to mount at: it begins with a slash, and / is the application's",
        "不能挂载到 {value}：路径要以斜杠开头，而 / 属于应用本身",
    ),
    ("two things are mounted at {path}", "{path} 处挂载了两样东西"),
    ("there is no folder {folder} to serve at {path}", "没有文件夹 {folder}，无法在 {path} 提供"),
    # the application
    ("there is no folder {folder} to find {name} in", "没有文件夹 {folder}，无法在其中查找 {name}"),
    ("no module named {name}", "没有名为 {name} 的模块"),
    ("{file}, line {line} needs it", "{file} 第 {line} 行要用到它"),
    ("there is {file}: write {line}, or {option}", "有 {file}：请写 {line}，或加上 {option}"),
    ("this folder has no Python files", "当前文件夹里没有 Python 文件"),
    ("the folder {folder} has no Python files", "文件夹 {folder} 里没有 Python 文件"),
    ("--app-dir says where they are", "用 --app-dir 指明所在位置"),
    ("{name} cannot be imported: {why}", "无法导入 {name}：{why}"),
    ("{name} failed: {why}", "{name} 执行失败：{why}"),
    ("{name} has none of {names}", "{name} 里没有 {names} 中的任何一个"),
    ("name its application: {more}", "请写明应用的名称：{more}"),
    ("it has {names}", "它有 {names}"),
    ("there is nothing in it that can be called", "其中没有可以调用的对象"),
    ("this folder has {n} applications", "当前文件夹里有 {n} 个应用"),
    ("{folder} has {n} applications", "{folder} 里有 {n} 个应用"),
    ("say which:", "请指定一个："),
    ("this folder has its modules in src:", "当前文件夹的模块在 src 里："),
    ("{folder} has its modules in src:", "{folder} 的模块在 src 里："),
    (
        "this folder has no application that can be recognised ({names})",
        "当前文件夹里没有找到可以识别的应用（{names}）",
    ),
    ("{folder} has no application that can be recognised ({names})", "{folder} 里没有找到可以识别的应用（{names}）"),
    ("name it: {line}", "请写明名称：{line}"),
    ("this folder has {files}", "当前文件夹里有 {files}"),
    ("the folder {folder} has {files}", "文件夹 {folder} 里有 {files}"),
    ("{name} has no {attribute}", "{name} 里没有 {attribute}"),
    ("{value} is a file", "{value} 是一个文件"),
    ("name its module: {name}", "请写模块名：{name}"),
    ("{value} does not begin with the name of a module", "{value} 的开头不是模块名"),
    ("{value} is not the name of an application", "{value} 不是应用的名称"),
    (
        "write module:attribute, as main:app, or module:function() for a function that makes the application",
        "写作 模块:属性，如 main:app；由函数创建应用时写作 模块:函数()",
    ),
    ("{name} is a {kind}, not an application", "{name} 是 {kind}，不是应用"),
    ("{name} is an {kind}, not an application", "{name} 是 {kind}，不是应用"),
    ("an application can be called", "应用应当可以调用"),
    ("name an attribute of it: {name}", "请写它的某个属性：{name}"),
    ("{name} is a class", "{name} 是一个类"),
    ("name an instance of it, or make one: {name}", "请写它的实例，或者现场创建：{name}"),
    ("{name} takes no arguments", "{name} 不接受参数"),
    ("if it makes the application, write {name}", "如果应用由它创建，请写 {name}"),
    ("the application could not start: {why}", "应用启动失败：{why}"),
    ("it does not say why", "没有说明原因"),
    # services
    ("use {one}, {other} or {third}", "请用 {one}、{other} 或 {third}"),
    ("{value} is not a time zone", "{value} 不是时区"),
    ("write it as {name}, {other} or {offset}", "请写成 {name}、{other} 或 {offset}"),
    ("this machine has no time zone data to find {name} in", "本机没有时区数据，无法查找 {name}"),
    ("{value} is not a scale of temperature", "{value} 不是温标"),
    ("c and f are", "可用 c 和 f"),
    # URLs
    ("URL {url}: {why}", "网址 {url}：{why}"),
    ("write two slashes behind the scheme, as in {example}", "协议名后面要写两个斜杠，如 {example}"),
    ("it holds a control character", "其中有控制字符"),
    ("leave it out, or encode it, as in {example}", "请去掉，或编码成 {example} 这样的形式"),
    ("the scheme is not http or https", "协议不是 http 或 https"),
    ("it is no http or https URL", "不是 http 或 https 的 URL"),
    ("only you may name a socket, not a server", "套接字只能由您指定，不能由服务端指定"),
    ("write a socket as {example}", "套接字请写作 {example}"),
    ("its brackets do not match", "方括号不配对"),
    ("an IPv6 address needs brackets", "IPv6 地址要加方括号"),
    ("its port is not a number, 1 to {most}", "端口不是 1 到 {most} 之间的数字"),
    ("it names no host", "没有写主机"),
    ("its host is no name", "主机名不正确"),
    ("letters, digits, '-' and '.' may stand there", "只能用字母、数字、“-”和“.”"),
    (
        "its host is a number, but not four from 0 to 255 with dots between them",
        "主机写成了数字，却不是用点隔开的四个 0 到 255 的数",
    ),
    ("its host has no form that the name service knows (IDNA)", "主机名无法转换成域名系统认识的形式（IDNA）"),
    ("what follows the % is not the name of an interface", "% 后面不是网卡的名称"),
    ("what stands in brackets is no IPv6 address", "方括号里不是 IPv6 地址"),
    (
        "write an '@' in a user's name or password as %40, a backslash as %5C",
        "用户名或密码里的 @ 请写作 %40，反斜杠请写作 %5C",
    ),
    (
        "its user's name holds a colon, which no server could tell from the one behind it",
        "用户名里有冒号，服务端无法把它和后面的冒号分清",
    ),
    ("its user's name or password is not UTF-8", "用户名或密码不是 UTF-8 编码"),
    ("its user's name or password holds a control character", "用户名或密码里有控制字符"),
    ("a text to be sent holds half a character (a lone surrogate)", "要发送的文本里有残缺的字符（孤立的代理项）"),
    ("the server redirects to where we cannot follow: {why}", "服务端重定向到了无法前往的地方：{why}"),
    ("the proxy for {scheme} cannot be used: {why}", "{scheme} 的代理无法使用：{why}"),
    ("write it as http://HOST:PORT in {name}", "请在 {name} 里写作 http://主机:端口"),
    # bodies
    ("the body is encoded {n} times", "响应正文经过了 {n} 层编码"),
    ("{n} times is the most", "最多 {n} 层"),
    ("the body is encoded as {coding}", "响应正文的编码是 {coding}"),
    ("{codings} can be decoded", "能解的有 {codings}"),
    ("the body ended in the middle of its {coding} stream", "响应正文在 {coding} 数据的中途就结束了"),
    ("it is not complete", "内容不完整"),
    ("the body is no {coding} stream: {why}", "响应正文不是 {coding} 数据：{why}"),
    ("-F {word} is not a part of a form", "-F {word} 不是表单的一项"),
    ("write name=value or name=@FILE", "请写作 名称=值 或 名称=@文件"),
    ("-F {word} names no file", "-F {word} 没有写文件名"),
    ("write name=@FILE, or name=@- for standard input", "请写作 名称=@文件，标准输入写作 名称=@-"),
    ("-F {word}: {kind} is not a media type, as text/plain", "-F {word}：{kind} 不是 text/plain 这样的媒体类型"),
    ("standard input can be one part of a form, not several", "标准输入只能用作表单的一项，不能用作多项"),
    ("put it in a file first", "请先存成文件"),
    ("standard input has been sent already and cannot be sent again", "标准输入已经发送过，无法再次发送"),
    ("-F: {path} cannot be sent: it is a folder", "-F：{path} 是文件夹，无法发送"),
    ("name a file in it", "请指定其中的文件"),
    ("-F: {path} cannot be read: {why}", "-F：无法读取 {path}：{why}"),
    ("{path} cannot be read any more: {why}", "{path} 已无法读取：{why}"),
    ("{path} cannot be read further: {why}", "{path} 无法继续读取：{why}"),
    ("{path} changed while it was sent: it had {n} bytes", "{path} 在发送过程中有变化：原来有 {n} 字节"),
    ("send it again", "请重新发送"),
    # where to listen
    ("{port} is used by another program", "{port} 已被其他程序占用"),
    ("stop it or choose another path", "请停止它，或换一个路径"),
    ("{port} is used by {holder}", "{port} 已被 {holder} 占用"),
    ("{host} is not an address of this machine", "{host} 不是本机的地址"),
    ("port {port} needs privileges", "端口 {port} 需要特权"),
    ("choose one from 1024 up", "请选择 1024 以上的端口"),
    ("cannot listen on {address}: {why}", "无法监听 {address}：{why}"),
    ("the port {port} is not a number, 0 to 65535", "端口 {port} 不是 0 到 65535 的数字"),
    ("the port {port} is not within 0 to 65535", "端口 {port} 不在 0 到 65535 之间"),
    ("--lan already means every interface", "--lan 已包括所有网卡"),
    ("leave out --bind", "请去掉 --bind"),
    ("--admin {address} could be reached by others", "--admin {address} 会被其他机器访问到"),
    ("use localhost:PORT or unix:PATH", "请用 localhost:端口 或 unix:路径"),
    ("is no address, network, unix or *", "不是地址、网段、unix 或 *"),
    ("write {example}", "请写作 {example}"),
    # connections
    ("there is no host called {host}", "没有名为 {host} 的主机"),
    ("check the spelling", "请检查拼写"),
    ("{host} is not an address that this machine can reach", "本机无法到达地址 {host}"),
    (
        "no answer within {time} s to the question where {host} is",
        "{time} 秒内没有查到 {host} 的地址",
    ),
    ("{host} cannot be looked up now ({why})", "暂时查不到 {host} 的地址（{why}）"),
    ("check the network", "请检查网络"),
    ("nothing listens on {address}", "{address} 没有程序在监听"),
    ("check the port, or start the server", "请检查端口，或先启动服务端"),
    ("check the path, or start the server", "请检查路径，或先启动服务端"),
    ("there is no socket {address}", "没有套接字 {address}"),
    ("no answer from {address} within {time} s", "{time} 秒内没有收到 {address} 的回应"),
    (
        "no answer from {address} within {time} s, asked {n} times",
        "{time} 秒内没有收到 {address} 的回应，共询问 {n} 次",
    ),
    ("nothing was taken by {address} within {time} s", "{time} 秒内 {address} 没有接收任何数据"),
    ("{address} hung up before the connection stood", "{address} 在连接建立之前就断开了"),
    ("{address} cannot be reached", "无法到达 {address}"),
    ("check the address and the network", "请检查地址和网络"),
    ("{address} may not be used: permission denied", "没有权限使用 {address}"),
    ("{address} is a socket for datagrams", "{address} 是数据报套接字"),
    ("only streams can be used here", "这里只能使用流"),
    ("cannot connect to {address}: {why}", "无法连接 {address}：{why}"),
    ("the connection to {address} is lost: {why}", "与 {address} 的连接已中断：{why}"),
    (
        "the connection to {address} was cut: it ended without TLS's farewell",
        "与 {address} 的连接被切断：没有 TLS 结束通知",
    ),
    ("connection reset by peer", "对方重置了连接"),
    ("broken pipe", "对方已关闭连接"),
    ("{address} has port 0, which nobody has", "{address} 的端口是 0，没有服务会使用"),
    ("write the port of the server", "请写明服务端的端口"),
    ("a datagram of {n} bytes is too large", "{n} 字节的数据报太大"),
    ("{n} are the most", "最多 {n} 字节"),
    ("{address} is not an open socket", "{address} 不是打开的套接字"),
    ("it must be inherited from the starting process", "它必须由启动它的进程传入"),
    ("{address} is a socket without a peer", "{address} 是没有对端的套接字"),
    ("it must be a connected one", "必须是已连接的套接字"),
    ("{address}: TLS is for connecting to a server", "{address}：TLS 只用于连接服务端"),
    ("write HOST:PORT to listen", "监听请写作 主机:端口"),
    ("--keep is for streams: over UDP nobody leaves", "--keep 只用于流：UDP 没有断开"),
    ("leave it out", "请去掉它"),
    # tls
    ("the certificate of {host} has expired", "{host} 的证书已过期"),
    ("the certificate of {host} is not valid yet", "{host} 的证书尚未生效"),
    ("check this machine's clock", "请检查本机时钟"),
    ("the certificate of {host} is self-signed, so nobody vouches for it", "{host} 的证书是自签名的，没有机构为它担保"),
    (
        "the certificate of {host} comes from an authority that this machine does not trust",
        "{host} 的证书由本机不信任的机构签发",
    ),
    ("the certificate of {host} has been revoked", "{host} 的证书已被吊销"),
    ("the certificate is not for {host} but for another name", "证书不属于 {host}，而属于另一个名称"),
    ("the certificate is not for {host} but for another address", "证书不属于 {host}，而属于另一个地址"),
    ("the certificate of {host} is not trusted ({why})", "{host} 的证书不受信任（{why}）"),
    ("{host} does not speak TLS", "{host} 不使用 TLS"),
    ("use http:// or tcp://", "请用 http:// 或 tcp://"),
    ("{host} does not answer in TLS", "{host} 没有以 TLS 回应"),
    ("{host} hung up while TLS was spoken", "{host} 在 TLS 通信中断开"),
    ("does it speak it at all?", "它支持 TLS 吗？"),
    ("{host} speaks only versions of TLS that are no longer safe", "{host} 只支持已不安全的 TLS 版本"),
    ("1.2 is the least", "至少需要 1.2"),
    ("{host} and we have no way of encryption in common", "与 {host} 没有共同的加密方式"),
    (
        "{host} wants a certificate of ours, or does not accept the one it got",
        "{host} 要求客户端证书，或不接受所给的证书",
    ),
    ("TLS with {host} failed: {why}", "与 {host} 的 TLS 通信失败：{why}"),
    (
        "{path} is not a PEM file with the certificates of authorities",
        "{path} 不是 PEM 格式的机构证书文件",
    ),
    (
        "{path} is not a PEM file with a certificate and its key, without a password",
        "{path} 不是无密码的、含证书与私钥的 PEM 文件",
    ),
    ("{path} cannot be read: {why}", "无法读取 {path}：{why}"),
    # requests and answers
    ("a timeout of {time} s", "时限为 {time} 秒"),
    ("give more than 0 and at most {most}", "应大于 0，且不超过 {most}"),
    ("the request is not done after {time} s, all the time it had", "请求在限定的 {time} 秒内没有完成"),
    ("{peer} took nothing of what was sent for {time} s", "{peer} 已有 {time} 秒没有接收发送的数据"),
    ("TLS with {host} broke: {why}", "与 {host} 的 TLS 通信中断：{why}"),
    (
        "{url} redirects to {other}, and the body cannot be sent again",
        "{url} 重定向到 {other}，而请求正文无法再发送一次",
    ),
    ("ask there at once, or give a body that can be read twice", "请直接请求该处，或提供可以重复读取的正文"),
    ("the proxy {address} refuses the way to {host}: {status}", "代理 {address} 拒绝连接 {host}：{status}"),
    ("give it a user and a password", "请为它提供用户名和密码"),
    ("{peer} sent a response that HTTP forbids: {why}", "{peer} 的响应不符合 HTTP：{why}"),
    ("{peer} switches to another protocol, which nobody asked for", "{peer} 擅自切换到了另一种协议"),
    ("{data} does not begin an HTTP response", "{data} 不是 HTTP 响应的开头"),
    ("a response head of over {n} bytes", "响应头超过 {n} 字节"),
    ("over {n} interim responses, 1xx, without a final one", "收到 {n} 个以上的 1xx 临时响应，却没有最终响应"),
    ("the body is longer than {n} bytes, the most kept in memory", "正文超过 {n} 字节，超出内存中保留的上限"),
    ("the file to send cannot be read: {why}", "无法读取要发送的文件：{why}"),
    # charsets
    ("{name} is not the name of a charset", "{name} 不是字符编码的名称"),
    ("{name} is not a charset for lines of text", "{name} 不是用于文本行的字符编码"),
    # processes
    ("--reload needs the package watchfiles", "--reload 需要 watchfiles 包"),
    ("--reload-dir {folder} is not a folder", "--reload-dir {folder} 不是文件夹"),
    ("--user {name}: this system has no such user", "--user {name}：系统中没有这个用户"),
    ("--group {name}: this system has no such group", "--group {name}：系统中没有这个用户组"),
    ("{path} is held by process {pid}", "{path} 正由进程 {pid} 使用"),
    ("stop it or choose another --pid-file", "请停止它，或换一个 --pid-file"),
    ("{path} cannot be written: {why}", "无法写入 {path}：{why}"),
    ("choose another --pid-file", "请换一个 --pid-file"),
    ("cannot write the access log to {path}: {why}", "无法把访问日志写入 {path}：{why}"),
    # files
    ("there is no folder {folder}", "没有文件夹 {folder}"),
    ("a port is written {option}", "端口写作 {option}"),
    ("cannot serve {path}: {why}", "无法共享 {path}：{why}"),
    ("give a folder that exists and can be read", "请给出一个存在且可读的文件夹"),
    # get
    ("there is no URL", "缺少网址"),
    ("write portico get URL", "请写 portico get 网址"),
    ("{one} and {other} do not go together", "{one} 与 {other} 不能同时使用"),
    ("choose one", "请选其一"),
    ("-o FOLDER saves under the server's name there", "-o 文件夹 可按服务器给出的名称存入该处"),
    ("{option} is for files", "{option} 用于保存文件"),
    ("add -o FILE or -O", "请加上 -o 文件 或 -O"),
    ("a head is shown, not saved", "响应头只能显示，不能保存"),
    ("leave out -o and -O, or use -v", "请去掉 -o 与 -O，或改用 -v"),
    ("--sha256 {value} is not a checksum of 64 hexadecimal digits", "--sha256 {value} 不是 64 位十六进制校验和"),
    ("{value} is not a method, as GET or POST", "{value} 不是请求方法，应如 GET 或 POST"),
    ("--json {value} is not JSON: {why}", "--json {value} 不是 JSON：{why}"),
    ("put it in single quotes", "请用单引号括起来"),
    ("-H {value} is not a field", "-H {value} 不是头字段"),
    ("write 'Name: value'", "请写成 '名称: 值'"),
    ("-H {value} cannot be sent", "-H {value} 无法发送"),
    ("a name is letters, digits and dashes, a value one line", "名称由字母、数字和连字符组成，值只有一行"),
    ("{what} cannot be read: it is a folder", "无法读取 {what}：它是文件夹"),
    ("{path} exists", "{path} 已经存在"),
    ("--force replaces it", "--force 可覆盖它"),
    ("the server answers {status}", "服务器返回 {status}"),
    ("nothing is saved", "未保存任何内容"),
    ("nothing is known of {path}", "{path} 的来源不明"),
    ("it is fetched anew", "将重新下载"),
    ("the file has changed meanwhile", "文件在此期间已有变化"),
    ("the file has the SHA-256 {found}, not {wanted}", "文件的 SHA-256 是 {found}，而不是 {wanted}"),
    ("it is not kept", "文件未保留"),
    ("{path} has appeared meanwhile", "{path} 在此期间已出现"),
    ("what was fetched is in {path}", "下载的内容在 {path} 中"),
    ("another download writes {path}", "另一个下载正在写入 {path}"),
    ("wait for it, or choose another name", "请等它结束，或换一个名称"),
    ("there is no room for {n} bytes in {path}: {why}", "磁盘空间不足，{path} 需要 {n} 字节：{why}"),
    ("cannot write {path}: {why}", "无法写入 {path}：{why}"),
    (
        "a Range of your own goes neither with --continue nor with --parallel",
        "自定的 Range 不能与 --continue 或 --parallel 同用",
    ),
    ("the answer with {field} does not say which bytes it brings", "带有 {field} 的响应没有说明是哪些字节"),
    ("the answer with {field} is not what was asked for, {bytes}", "带有 {field} 的响应不是所请求的内容（{bytes}）"),
    ("the answer with {field} is a part, and the whole was asked for", "带有 {field} 的响应只是一部分，而请求的是全部"),
    (
        "{peer} closed the connection after {done} of {total} bytes of the body",
        "{peer} 在发送 {done} / {total} 字节后断开了连接",
    ),
    (
        "{peer} closed the connection in the middle of the body, after {done} bytes",
        "{peer} 在正文中途断开了连接，已收到 {done} 字节",
    ),
    ("{peer} closed the connection without an answer", "{peer} 未作应答就断开了连接"),
    ("{peer} sent nothing for {time} s", "{peer} 已有 {time} 秒没有发来数据"),
    ("what arrives cannot be written: {why}", "无法写入收到的内容：{why}"),
    ("no space left on device", "设备上没有剩余空间"),
    ("more than {n} redirects, the last to {url}", "重定向超过 {n} 次，最后一次指向 {url}"),
    ("allow more, or ask there", "请放宽次数，或直接请求该处"),
    ("No such file or directory", "没有这个文件或目录"),
    ("Permission denied", "没有权限"),
)
_PLACE: Final = re.compile(r"\\{(\w+)\\}")


def in_chinese(message: str) -> str:
    """Return a message, one line, in Chinese as far as there are rows for it."""
    whole = _by_row(message)
    if whole is not None:
        return whole
    clauses = message.split("; ")
    if len(clauses) > 1:
        told = [in_chinese(clause) for clause in clauses]
        return ("；" if told != clauses else "; ").join(told)
    before, colon, behind = message.partition(": ")
    return f"{before}: {in_chinese(behind)}" if colon else message


def _by_row(message: str) -> str | None:
    if "; " in message:
        return None
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(message):
            parts = {name: _by_row(part) or part for name, part in match.groupdict().items()}
            return chinese.format(**parts)
    return None


@lru_cache(1)
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(english))), chinese) for english, chinese in ROWS)
