"""Analyses as JSON, held against the schema that users get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from shiftlens.analysis.schema import schema

VALIDATOR = Draft202012Validator(schema())


def assert_fits(found: object) -> None:
    """Fail with the deepest error of an object that is not as the schema says."""
    error = best_match(_errors(found))
    assert error is None, f"{error.json_path}: {error.message[:500]}"


def fits(found: object) -> bool:
    return bool(VALIDATOR.is_valid(found))


def _errors(found: object) -> Iterator[Any]:
    """Those of the one of the two kinds of objects that it means to be: a choice of both would name neither."""
    kind = "failure" if isinstance(found, dict) and "error" in found else "analysis"
    return VALIDATOR.evolve(schema={"$defs": schema()["$defs"], "$ref": f"#/$defs/{kind}"}).iter_errors(found)
