"""Prints `docs/settings.md`: the editor's settings and the command line's options, as the code declares them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shiftlens.cli.main import build_parser
from shiftlens.options.settings import read_front_matter_values

MANIFEST = Path(__file__).parents[1] / "extension" / "package.json"
INTRODUCTION = """\
# Settings and options

The settings of the editor, then the options of the command line. A file's front matter (`shiftlens:` with keys below
it) goes before the settings of an editor, and an option of the command line goes before the front matter. Only for
`format` it is the other way round: the setting goes before the front matter. A bad value is told of and not followed.

Front matter may also name the speakers of a conversation: `user-name` and `assistant-name`.

This page is written by `make docs`, from `extension/package.json` and the command line's own parser.
"""
SCOPES = {
    "resource": "user, workspace or folder settings",
    "window": "user or workspace settings",
    "machine-overridable": "the settings of the machine, which a workspace may override",
    "machine": "the user's settings on this machine",
    "application": "the user's settings alone",
}
# Where an option does the same as a setting, or the opposite, under another name.
OTHER_NAMES = {
    "format": "--transcript-format",
    "maxFileBytes": "--max-bytes",
    "resultCache": "--no-cache",
    "shareEngine": "--private-engine",
}


def page() -> str:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    commands = dict(_commands(build_parser()))
    options = {name for parser in commands.values() for action in parser._actions for name in action.option_strings}
    restricted = set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    parts = [INTRODUCTION.rstrip(), "# In the editor"]
    for group in manifest["contributes"]["configuration"]:
        parts.append(f"## {group['title']}")
        for name, declared in sorted(group["properties"].items(), key=lambda item: item[1]["order"]):
            parts += [f"### `{name}`", _setting(name, declared, options, restricted=name in restricted)]
    parts += ["# On the command line", *_options(commands)]
    return "\n\n".join(parts) + "\n"


def _setting(name: str, declared: dict[str, Any], options: set[str], *, restricted: bool) -> str:
    key = name.removeprefix("shiftlens.")
    said = declared.get("markdownDescription") or _escaped(declared["description"])
    facts = [f"default: `{json.dumps(declared['default'], ensure_ascii=False)}`", *_values(key, declared)]
    facts.append(f"where: {SCOPES[declared['scope']]}")
    if restricted:
        facts.append("not taken from a workspace that is not trusted")
    values, problems = read_front_matter_values({key: declared["default"]})
    # The format is read before anything else is.
    if values or problems or key == "format":
        facts.append(f"in front matter: `{_with_hyphens(key)}`")
    option = OTHER_NAMES.get(key, f"--{_with_hyphens(key)}")
    if option in options:
        facts.append(f"on the command line: `{option}`")
    elif key in OTHER_NAMES:
        raise ValueError(f"the command line has no {option}")
    return "\n".join([said, "", *(f"- {fact}" for fact in facts)])


def _values(key: str, declared: dict[str, Any]) -> Iterator[str]:
    if key == "format":
        yield "values: the name of a format, see [formats.md](formats.md)"
        return
    for choice in (declared, *declared.get("anyOf", ()), declared.get("items", {})):
        told = choice.get("enumDescriptions") or [""] * len(choice.get("enum", ()))
        for value, what in zip(choice.get("enum", ()), told, strict=True):
            yield f'value `"{value}"`{f": {_escaped(what)}" if what else ""}'
        if "pattern" in choice:
            yield f"value: whatever fits `{choice['pattern']}`"
    if "minimum" in declared or "maximum" in declared:
        yield f"values: whole numbers from {declared['minimum']:,} to {declared['maximum']:,}"


def _with_hyphens(key: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"-{found[1].lower()}", key)


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _options(commands: dict[str, argparse.ArgumentParser]) -> Iterator[str]:
    """Each command with what it takes; options that several commands share stand in full at the first of them."""
    told: dict[tuple[str, str], str] = {}
    for name, parser in commands.items():
        yield f"## shiftlens {name}"
        yield _escaped(parser.description or "")
        rows = ["| option | what |", "| --- | --- |"]
        as_before: dict[str, list[str]] = {}
        for action in parser._actions:
            if isinstance(action, argparse._HelpAction):
                continue
            shown, what = _shown(action), _what(action, parser)
            before = told.setdefault((shown, what), name)
            if before == name or not action.option_strings:
                rows.append(f"| {_code(shown)} | {what} |")
            else:
                as_before.setdefault(before, []).append(f"`{action.option_strings[-1]}`")
        if len(rows) > 2:
            yield "\n".join(rows)
        for before, same in as_before.items():
            yield f"As with `{before}`: {', '.join(same)}."


def _shown(action: argparse.Action) -> str:
    if action.metavar is not None:
        value = str(action.metavar)
    elif action.choices is not None:
        value = "|".join(map(str, action.choices))
    else:
        value = "" if action.nargs == 0 else action.dest.upper()
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _what(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    said = (action.help or "") % {**vars(action), "prog": parser.prog}
    default = action.default
    if default not in (None, False, argparse.SUPPRESS) and "default" not in said:
        said = f"{said} (default {default})".strip()
    return _escaped(said)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _escaped(text: str) -> str:
    """Markdown's own signs made harmless, but for what stands between backquotes."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([\\*_{}\[\]<>#|])", r"\\\1", p) for p in pieces)


if __name__ == "__main__":
    print(page(), end="")
