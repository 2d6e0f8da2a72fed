"""`relive completion`."""

from __future__ import annotations

import click

__all__ = ["completion"]

_VARIABLE = "_RELIVE_COMPLETE"
_ZSH_SYSTEM = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"
"""zsh has no completion before its configuration asks for it."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell: commands, options, functions and ids.

    \b
    echo 'eval "$(relive completion bash)"' >> ~/.bashrc
    echo 'eval "$(relive completion zsh)"' >> ~/.zshrc
    relive completion fish > ~/.config/fish/completions/relive.fish
    """
    from click.shell_completion import get_completion_class

    from relive.group import cli

    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    offers = kind(cli, {}, "relive", _VARIABLE)
    # Not `source()`, which runs the shell to ask its version: this prints, whatever shell is installed here.
    script = offers.source_template % offers.source_vars()
    if shell == "zsh":
        first, line, rest = script.partition("\n")  # "#compdef relive", which has to stay the first line
        script = first + line + _ZSH_SYSTEM + rest
    click.echo(script)
