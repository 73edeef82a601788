"""The templates of pages, and what each page lets in.

What models and files say reaches a page in two ways only, both escaped: by the templates, which escape every value, and
as JSON, which a page's script puts in as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from shiftlens.text.visible import harmless


def as_json(value: object) -> Markup:
    """JSON for a script element, which only `</script` or `<!--` could leave."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 (see above)


def policy(style: str, script: str | None) -> str:
    """A content security policy that lets in one style and one script, if any, each named by its hash, and nothing
    else."""
    scripts = "" if script is None else f" script-src '{_hash(script)}';"
    return f"default-src 'none'; style-src '{_hash(style)}';{scripts} base-uri 'none'; form-action 'none'"


@cache
def asset(name: str) -> str:
    """A file of this room as text."""
    return resources.files("shiftlens.report").joinpath(name).read_text(encoding="utf-8")


@cache
def template(name: str) -> Template:
    """A template of this room."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # No control character, bidirectional override or lone surrogate in any value, on top of the escaping.
        finalize=lambda value: harmless(value) if type(value) is str else value,
    )
    environment.filters["percent"] = lambda part: f"{part:.1%}"
    environment.filters["share"] = lambda shares, shift: f"{getattr(shares, shift):.1%}" if shares.tokens else "–"
    return environment


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
