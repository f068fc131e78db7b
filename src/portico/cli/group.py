"""Commands that load when they are called, print help a person can read, and complain in one line.

In: the words of the command line. Out: a click command that runs, a help page, or `complaint`'s two lines.
"""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

from portico.cli.options import SettingOption, all_rows
from portico.cli.words import Words, language_of
from portico.errors import PorticoError, UsageError, excerpt
from portico.settings import Option

if TYPE_CHECKING:
    from portico.cli.help import Section


# Where a command's context keeps the Config it has read.
CONFIG = "portico.config"

_SAMPLES = ("log-format", "encoding")
_OVERVIEW_LEFT = 24  # columns: the names of commands are short


def words_of_environment() -> Words:
    """Return the texts in the language of the person at this terminal."""
    return Words(language_of(os.environ))


class Example(NamedTuple):
    """A line for the help page. words: the key of what it does."""

    line: str
    words: str


class PageCommand(click.Command):
    """A command whose help page is made of sections.

    arguments: rows of (how it is written, key of its text). examples: shown after the options.
    needed: the argument that cannot be left out, "" for none.
    config_for: the command as which it reads portico.toml, "" where it does not. own_title: key of the title above the
    options that are no rows of settings/.
    """

    def __init__(
        self,
        name: str,
        *,
        params: list[click.Parameter],
        arguments: Sequence[tuple[str, str]],
        examples: Sequence[Example],
        **attrs: object,
    ) -> None:
        config_for = attrs.pop("config_for", "")
        self._needed = str(attrs.pop("needed", ""))
        self._own_title = str(attrs.pop("own_title", "http.server"))
        if config_for:
            params = [*params, config_option(str(config_for))]
        super().__init__(name, params=params, **attrs)  # type: ignore[arg-type]
        self.arguments = arguments
        self._settings_of = str(config_for or "serve")
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; a mistake among them carries this command's name, which click does not always see to."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as exc:
            exc.ctx = exc.ctx or ctx
            raise
        except PorticoError as exc:
            raise click.UsageError(str(exc), ctx) from exc

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. What Portico refuses becomes a click error, which knows the command's whole name."""
        try:
            return super().invoke(ctx)
        except PorticoError as exc:
            raise click.UsageError(str(exc), ctx) from exc

    def usage(self, ctx: click.Context) -> str:
        """Return how the command is written, on one line."""
        words = [left if left == self._needed else f"[{left}]" for left, _ in self.arguments]
        return " ".join([ctx.command_path, "[OPTIONS]", *words])

    def get_help(self, ctx: click.Context) -> str:
        """Lay out the help page in the person's language."""
        from portico.cli.help import Section, page

        words = words_of_environment()
        heading = [f"{ctx.command_path}: {words(self.name or '')}", "", words("usage", line=self.usage(ctx))]
        arguments = [(left, words(key)) for left, key in self.arguments]
        sections = [
            *([Section(_title(words, f"{self._settings_of}-arguments"), arguments)] if arguments else []),
            *self._option_sections(words),
            Section(_title(words, "other"), self._other(words)),
            Section(_title(words, "examples"), [(example.line, words(example.words)) for example in self.examples]),
        ]
        return page(heading, sections, self._closing(words), _columns())

    def _closing(self, words: Words) -> str:
        """Return the paragraph at the end of the page: how options come from the environment."""
        sample = self._sample_option()
        variable = sample.replace("-", "_").upper()
        return words("environment", option=sample, variable=variable, command=self._settings_of.upper())

    def _sample_option(self) -> str:
        """Return the option that shows what the variables are called: the first of `_SAMPLES` that the command has."""
        names = {param.row.name for param in self.params if isinstance(param, SettingOption)}
        return next((name for name in _SAMPLES if name in names), _SAMPLES[0])

    def _other(self, words: Words) -> list[tuple[str, str]]:
        has_config = any(param.name == "config" for param in self.params)
        config = [("    --config FILE", words("config-option"))] if has_config else []
        return [*config, ("    --help", words("help-option"))]

    def _option_sections(self, words: Words) -> list["Section"]:
        rows: dict[str, list[tuple[str, str]]] = {}
        for param in self.params:
            if isinstance(param, SettingOption):
                text, default = param.right_column(words.language), param.shown_default()
                if default:
                    text += f" [{words('default', value=default)}]"
                rows.setdefault(param.group, []).append((param.left_column(), text))
            elif isinstance(param, click.Option) and param.name != "config" and not param.hidden:
                left = ", ".join(param.opts) if len(param.opts) > 1 else f"    {param.opts[0]}"
                rows.setdefault(self._own_title, []).append((f"{left} {param.metavar}", words(param.help or "")))
        from portico.cli.help import Section

        return [Section(_title(words, group), found) for group, found in rows.items()]


def config_option(command: str, rows: Sequence[Option] = ()) -> click.Option:
    """Return the option --config, which reads a file for the options of the command it is given to.

    rows: which the table of `command` may have, where the command it is given to has only some of these.
    """

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        from portico.cli.config import find_config, read_config

        path = value or find_config()
        if path:
            own = [param.row for param in ctx.command.params if isinstance(param, SettingOption)]
            config = read_config(path, command, [*own, *rows], known=all_rows())
            ctx.default_map = dict(config.values)
            ctx.meta[CONFIG] = config

    return click.Option(
        ["--config"], metavar="FILE", is_eager=True, expose_value=False, callback=read, envvar="PORTICO_CONFIG"
    )


class CommandGroup(click.Group):
    """A command with commands below it, each in a module that is loaded when it is called.

    homes: a command's name to the module that has it as `command`, or to `module:name`. titles: of sections of the help
    page, each under the name of its first command.
    """

    def __init__(
        self,
        name: str,
        homes: Mapping[str, str],
        examples: Sequence[Example],
        *,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        version = click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version)
        super().__init__(name, params=[version], no_args_is_help=False, invoke_without_command=True)
        self.callback = self._help_without_command
        self._homes = homes
        self._examples = examples
        self._titles = titles or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the table."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None where there is none of that name."""
        if cmd_name not in self._homes:
            return None
        module, _, name = self._homes[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name or "command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names; UsageError with the nearest name where it names none."""
        if args[0] not in self._homes:
            words = words_of_environment()
            hint = _meant(args[0], ctx.command_path) or _nearest(args[0], self._homes)
            said = words("no-command", name=excerpt(args[0]))
            raise click.UsageError(said + (words("did-you-mean", name=hint) if hint else ""), ctx)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """Lay out the help page in the person's language."""
        from portico.cli.help import Section, page

        words = words_of_environment()
        heading = [f"{ctx.command_path}: {words('about')}", ""]
        heading.append(words("usage", line=f"{ctx.command_path} COMMAND [OPTIONS] [...]"))
        sections = [
            *self._command_sections(words),
            Section(_title(words, "other"), [("--version", words("version-option")), ("--help", words("help-option"))]),
            Section(_title(words, "examples"), [(example.line, words(example.words)) for example in self._examples]),
        ]
        return page(heading, sections, words("serve-help"), _columns(), left=_OVERVIEW_LEFT)

    def _command_sections(self, words: Words) -> list["Section"]:
        from portico.cli.help import Section

        rows: dict[str, list[tuple[str, str]]] = {}
        title = "commands"
        for name in self._homes:
            title = self._titles.get(name, title)
            rows.setdefault(title, []).append((name, words(name)))
        return [Section(_title(words, key), found) for key, found in rows.items()]

    def _help_without_command(self) -> None:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            click.echo(self.get_help(ctx))


def _meant(word: str, command: str) -> str:
    """Return the command line that was meant by an application or a path alone, "" where there is no telling."""
    from portico.gateway.reference import parse_reference

    module = word.removesuffix(".py")
    if module != word and module.isidentifier():
        return f"{command} run {module}"
    try:
        reference = parse_reference(word)
        return f"{command} run {reference}" if reference.attributes else ""
    except UsageError:
        return f"{command} serve {word}" if os.path.exists(word) else ""


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    from portico import __version__

    if value:
        click.echo(f"portico {__version__}")
        ctx.exit()


def _title(words: Words, key: str) -> str:
    return words("titled", title=words(key))


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _nearest(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")


def complaint(exc: click.ClickException, command: str, words: Words) -> str:
    """Return what is printed for a mistake: one line that says what is wrong, one that says where to look.

    command: what was called, as far as it is known without click, as `portico`.
    """
    ctx = exc.ctx if isinstance(exc, click.UsageError) else None
    command = ctx.command_path if ctx is not None else command
    if getattr(exc.__cause__, "frames", ()) and isinstance(exc.__cause__, PorticoError):
        # The lines below say where to look.
        return f"{command}: {full_text(exc.__cause__, words)}"
    said = _told(_wrong(exc, words).replace("\n", " "), words)
    return f"{command}: {said}\n{words('see-help', command=command)}"


def full_text(exc: PorticoError, words: Words) -> str:
    """Return what an error says, with the lines that belong below it, if there are any."""
    return "\n".join([_told(str(exc), words), *getattr(exc, "frames", ())])


def _told(message: str, words: Words) -> str:
    """Return a message of a layer that speaks English alone in the person's language."""
    if words.language == "en":
        return message
    from portico.cli.complaints import in_chinese

    return in_chinese(message)


def _wrong(exc: click.ClickException, words: Words) -> str:
    """Say what is wrong without click's own sentences, which are English alone."""
    if isinstance(exc, click.NoSuchOption):
        # What was typed, cut and quoted: it may hold anything.
        hint = _nearest(exc.option_name, [opt for param in _params(exc) for opt in param.opts + param.secondary_opts])
        said = words("no-option", name=excerpt(exc.option_name)[1:-1])
        return said + (words("did-you-mean", name=hint) if hint else "")
    if isinstance(exc, click.MissingParameter) and exc.param is not None:  # a BadParameter whose message is empty
        return words("missing", name=exc.param.human_readable_name)
    if isinstance(exc, click.BadParameter):
        return f"{_named(exc, words)}: {exc.message}" if exc.param is not None else exc.message
    if isinstance(exc, click.BadOptionUsage):
        return words("takes-no-value" if "not take" in exc.message else "needs-value", name=exc.option_name)
    if "unexpected extra" in exc.message:
        return words("unexpected", name=exc.message.partition("(")[2].rstrip(")"))
    return exc.message


def _params(exc: click.UsageError) -> list[click.Parameter]:
    return exc.ctx.command.get_params(exc.ctx) if exc.ctx is not None else []


def _named(exc: click.BadParameter, words: Words) -> str:
    param, ctx = exc.param, exc.ctx
    if param is None or not param.opts or isinstance(param, click.Argument):
        return param.human_readable_name if param is not None else ""
    name = max(param.opts, key=len)
    source = ctx.get_parameter_source(param.name) if ctx is not None and param.name else None
    if source is click.core.ParameterSource.ENVIRONMENT:
        return words("from-environment", name=f"PORTICO_{param.name}".upper())
    return name
