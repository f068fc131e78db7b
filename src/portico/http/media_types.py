"""Media types of files, by name (RFC 9110 section 8.3, the IANA registry, RFC 9239 for JavaScript).

In: a file name; out: the value for Content-Type. In: a media type; out: whether compressing it pays, and which
picture stands for it in a listing. The table is our own and the same on every machine: the system's
`mime.types` is not read.

Names and types are settled where they collide:
    .ts     text/plain. TypeScript in far more folders than MPEG-TS; players fetch segments by script or
            sniff them, and a browser shows the source instead of downloading it. `.mts`, `.m2ts`: cameras' video.
    .js     text/javascript, the only type RFC 9239 does not call obsolete.
    .xml    application/xml without a charset: the document declares its own. The same for SVG and XHTML.
    .svgz, .tar.gz and the like are archives as far as HTTP goes: as stored, without Content-Encoding.
    Source code is text/plain, so that a browser shows it; a language's unregistered `text/x-...` is downloaded.
"""

DEFAULT_TYPE = "application/octet-stream"
_UTF8 = "; charset=utf-8"

# Kind, then media type, then the extensions that have it.
_TABLE: dict[str, dict[str, str]] = {
    "text": {
        "text/html": "html htm",
        "text/css": "css",
        "text/javascript": "js mjs",
        "text/csv": "csv",
        "text/tab-separated-values": "tsv",
        "text/markdown": "md markdown",
        "text/vtt": "vtt",
        "text/calendar": "ics",
        "text/vcard": "vcf",
        "text/plain": (
            "txt text log conf cfg ini toml properties env lock diff patch rst adoc org tex bib srt ass nfo asc "
            "py pyi pyx ipy rb pl pm php phps lua tcl r jl m mm swift kt kts java scala groovy gradle clj cljs ex exs "
            "erl hrl hs lhs ml mli fs fsx elm nim zig d v sv vhd vhdl c h cc cpp cxx hh hpp hxx ino s asm go rs cs vb "
            "dart sol ts cts tsx jsx cjs vue svelte coffee scss sass less styl sh bash zsh fish ps1 psm1 bat cmd awk "
            "sed sql graphql gql proto thrift cmake mk mak make ninja bazel bzl tf hcl nix el lisp scm rkt vim glsl "
            "vert frag wgsl hlsl cu pas f f90 f95 for ada adb ads cob po pot http rest service socket timer desktop"
        ),
        "application/json": "json map har topojson ipynb",
        "application/json5": "json5",
        "application/ld+json": "jsonld",
        "application/geo+json": "geojson",
        "application/manifest+json": "webmanifest",
        "application/feed+json": "jsonfeed",
        "application/x-ndjson": "ndjson jsonl",
        "application/yaml": "yaml yml",
        "application/xml": "xml xsl xsd dtd plist rng",
        "application/xslt+xml": "xslt",
        "application/xhtml+xml": "xhtml xht",
        "application/rss+xml": "rss",
        "application/atom+xml": "atom",
        "application/mathml+xml": "mathml mml",
        "application/gpx+xml": "gpx",
        "application/vnd.google-earth.kml+xml": "kml",
    },
    "image": {
        "image/png": "png",
        "image/apng": "apng",
        "image/jpeg": "jpg jpeg jpe jfif pjpeg",
        "image/gif": "gif",
        "image/webp": "webp",
        "image/avif": "avif",
        "image/jxl": "jxl",
        "image/svg+xml": "svg",
        "image/bmp": "bmp dib",
        "image/vnd.microsoft.icon": "ico cur",
        "image/tiff": "tif tiff",
        "image/heic": "heic",
        "image/heif": "heif",
        "image/jp2": "jp2",
        "image/vnd.adobe.photoshop": "psd",
        "image/x-adobe-dng": "dng",
        "image/ktx2": "ktx2",
        "image/vnd.djvu": "djvu djv",
    },
    "video": {
        "video/mp4": "mp4 m4v",
        "video/webm": "webm",
        "video/ogg": "ogv",
        "video/quicktime": "mov qt",
        "video/matroska": "mkv",
        "video/mp2t": "m2ts mts",
        "video/mpeg": "mpeg mpg",
        "video/3gpp": "3gp",
        "video/3gpp2": "3g2",
        "video/x-msvideo": "avi",
        "video/x-ms-wmv": "wmv",
        "video/x-flv": "flv",
        "video/iso.segment": "m4s",
        "application/vnd.apple.mpegurl": "m3u8",
        "application/dash+xml": "mpd",
    },
    "audio": {
        "audio/mpeg": "mp3",
        "audio/mp4": "m4a m4b",
        "audio/aac": "aac",
        "audio/ogg": "ogg oga opus spx",
        "audio/webm": "weba",
        "audio/wav": "wav",
        "audio/flac": "flac",
        "audio/matroska": "mka",
        "audio/midi": "mid midi",
        "audio/aiff": "aif aiff aifc",
        "audio/amr": "amr",
        "audio/x-ms-wma": "wma",
        "audio/mpegurl": "m3u",
    },
    "font": {
        "font/woff2": "woff2",
        "font/woff": "woff",
        "font/ttf": "ttf",
        "font/otf": "otf",
        "font/collection": "ttc otc",
        "application/vnd.ms-fontobject": "eot",
    },
    "archive": {
        "application/zip": "zip whl",
        "application/gzip": "gz tgz svgz",
        "application/zstd": "zst tzst",
        "application/x-brotli": "br",
        "application/x-bzip2": "bz2 tbz2",
        "application/x-xz": "xz txz",
        "application/x-lzip": "lz",
        "application/x-lzma": "lzma",
        "application/x-tar": "tar",
        "application/x-7z-compressed": "7z",
        "application/vnd.rar": "rar",
        "application/java-archive": "jar war ear",
        "application/vnd.android.package-archive": "apk",
        "application/vnd.debian.binary-package": "deb",
        "application/x-rpm": "rpm",
        "application/vnd.ms-cab-compressed": "cab",
        "application/x-cpio": "cpio",
        "application/x-iso9660-image": "iso",
        "application/x-apple-diskimage": "dmg",
        "application/x-xpinstall": "xpi",
    },
    "document": {
        "application/pdf": "pdf",
        "application/epub+zip": "epub",
        "application/rtf": "rtf",
        "application/postscript": "ps eps ai",
        "application/msword": "doc dot",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.ms-powerpoint": "ppt pps",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow": "ppsx",
        "application/vnd.oasis.opendocument.text": "odt",
        "application/vnd.oasis.opendocument.spreadsheet": "ods",
        "application/vnd.oasis.opendocument.presentation": "odp",
        "application/vnd.oasis.opendocument.graphics": "odg",
        "application/vnd.comicbook+zip": "cbz",
        "application/x-mobipocket-ebook": "mobi",
        "application/vnd.amazon.mobi8-ebook": "azw3",
        "application/oxps": "oxps",
    },
    "file": {
        "application/wasm": "wasm",
        "application/vnd.sqlite3": "sqlite sqlite3 db",
        "application/vnd.apache.parquet": "parquet",
        "application/vnd.apache.arrow.file": "arrow",
        "application/x-bittorrent": "torrent",
        "application/pkix-cert": "cer",
        "application/pkix-crl": "crl",
        "application/x-pem-file": "pem crt",
        "application/pkcs12": "p12 pfx",
        "application/pgp-signature": "sig",
        "model/gltf-binary": "glb",
        "model/gltf+json": "gltf",
        "model/obj": "obj",
        "model/stl": "stl",
        "model/mtl": "mtl",
        "model/3mf": "3mf",
        "model/vnd.usdz+zip": "usdz",
    },
}

# Whole names of text files that have no extension, or one that says nothing.
_PLAIN_NAMES = frozenset(
    "readme license licence copying copyright notice authors contributors maintainers changelog changes news "
    "history todo install makefile gnumakefile dockerfile containerfile vagrantfile jenkinsfile procfile gemfile "
    "rakefile brewfile justfile pipfile caddyfile codeowners version manifest.in go.mod go.sum "
    ".gitignore .gitattributes .gitmodules .gitkeep .mailmap .dockerignore "
    ".npmignore .npmrc .nvmrc .editorconfig .env .htaccess .profile .bashrc .zshrc .vimrc .python-version".split()
)

_BY_EXTENSION = {
    extension: media_type
    for group in _TABLE.values()
    for media_type, extensions in group.items()
    for extension in extensions.split()
}
_KINDS = {media_type: kind for kind, group in _TABLE.items() for media_type in group}
_KINDS_BY_PREFIX = {"image": "image", "video": "video", "audio": "audio", "font": "font", "text": "text"}

# Browsers take JSON without a charset for UTF-8 when a script asks, but not all when a person looks at it.
_CHARSET_TYPES = frozenset(
    (
        "application/json",
        "application/json5",
        "application/ld+json",
        "application/geo+json",
        "application/manifest+json",
        "application/feed+json",
        "application/x-ndjson",
        "application/yaml",
        "application/vnd.apple.mpegurl",
    )
)
_COMPRESSIBLE = frozenset(
    (
        "application/dash+xml",
        "application/javascript",
        "application/json",
        "application/json5",
        "application/postscript",
        "application/rtf",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-ndjson",
        "application/x-pem-file",
        "application/xml",
        "application/yaml",
        "audio/mpegurl",
        "font/collection",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "model/gltf-binary",
        "model/mtl",
        "model/obj",
        "model/stl",
    )
)


def media_type(name: str) -> str:
    """Find the media type of a file by its name.

    name: the file's own name, without folders, in any case. The last extension counts.
    Returns a Content-Type value, with `; charset=utf-8` for text; `application/octet-stream` for a name that
    says nothing.
    """
    lowered = name.lower()
    if lowered in _PLAIN_NAMES:
        return "text/plain" + _UTF8
    stem, _, extension = lowered.rpartition(".")
    found = _BY_EXTENSION.get(extension, DEFAULT_TYPE) if stem else DEFAULT_TYPE
    return found + _UTF8 if found.startswith("text/") or found in _CHARSET_TYPES else found


def is_compressible(media_type: str) -> bool:
    """Say whether compressing a body of this type pays: text, and formats that do not compress themselves.

    media_type: a Content-Type value, with or without parameters.
    """
    essence = _essence(media_type)
    return essence.startswith("text/") or essence.endswith(("+json", "+xml")) or essence in _COMPRESSIBLE


def kind(media_type: str) -> str:
    """Name the sort of thing a media type is, for the icon in a listing.

    media_type: a Content-Type value, with or without parameters.
    Returns "image", "video", "audio", "text", "archive", "document", "font", or "file" for anything else.
    """
    essence = _essence(media_type)
    return _KINDS.get(essence) or _KINDS_BY_PREFIX.get(essence.partition("/")[0], "file")


def _essence(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
