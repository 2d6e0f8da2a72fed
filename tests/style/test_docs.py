"""The documentation, as far as a test can read it: links lead somewhere, settings exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from relive.group import cli
from relive_outside.record.settings import DOCS, variable_of
from relive_platform.settings import CLIENT_VARIABLES, settings

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)")
VARIABLE = re.compile(r"\bRELIVE_[A-Z_]*[A-Z]\b")
COMMAND = re.compile(r"(?:^ {4,}(?:\$ )?|`)relive ([a-z][^`\n]*)", re.MULTILINE)
EVENT = re.compile(r"@(examples/\S+)")
IN_FUNCTIONS = {"RELIVE_FRAMEWORK_SPANS", "RELIVE_FUNCTION", "RELIVE_LAYERS"}


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]


def test_links_between_pages_lead_somewhere() -> None:
    links = [(page, link) for page in pages() for link in LINK.findall(page.read_text())]
    local = [(page, link) for page, link in links if "://" not in link]
    assert local
    assert not [f"{page.name}: {link}" for page, link in local if not (page.parent / link).exists()]


def test_settings_that_the_pages_name_exist() -> None:
    known = (
        {name for item in settings() for name in (item.variable, *item.also)}
        | set(CLIENT_VARIABLES)
        | IN_FUNCTIONS
        | {variable_of(name) for name in DOCS}
    )
    named = {(page.name, name) for page in pages() for name in VARIABLE.findall(page.read_text())}
    assert named
    assert not {f"{page}: {name}" for page, name in named if name not in known}


def typed() -> Iterator[tuple[str, str]]:
    """The commands of `relive` that the pages tell to type: the page, and what follows `relive`."""
    for page in pages():
        for text in COMMAND.findall(page.read_text()):
            yield page.name, re.split(r" {2,}|[|<>;]", text)[0]


def test_commands_that_the_pages_name_exist_with_their_options() -> None:
    unknown = []
    for page, text in typed():
        name, *rest = text.split()
        command = cli.get_command(click.Context(cli), name.strip("`.,:)"))
        if command is None:
            unknown.append(f"{page}: relive {text}")
            continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", " ".join(rest))
        for option in re.findall(r"(?:^|\s)(--?[a-z][a-z-]*)", bare):
            if option not in known | {"--help", "-h"}:
                unknown.append(f"{page}: relive {text}: {option}")
    assert len(list(typed())) > 50
    assert not unknown


def test_events_that_the_pages_send_are_there() -> None:
    named = {(page, file) for page in pages() for file in EVENT.findall(page.read_text())}
    assert named
    assert not [f"{page.name}: {file}" for page, file in named if not (ROOT / file).is_file()]
