"""A report as a browser would take it apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


class PageReader(HTMLParser):
    """Elements in order, each with all text inside it."""

    _VOID = frozenset({"meta", "link", "line", "rect", "img", "br", "hr", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self._open, "every element that opens is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in self._VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, cls: str = "") -> list[Element]:
        """The elements of a tag, of those that have a class where one is named."""
        found = (e for e in self.elements if e.tag == tag)
        return [e for e in found if not cls or cls in (e.attributes.get("class") or "").split()]

    def by_id(self, name: str) -> Element:
        return next(e for e in self.elements if e.attributes.get("id") == name)

    def json(self, name: str) -> Any:
        return json.loads(self.by_id(name).text)


def sentences(columns: Any, row: int) -> list[str]:
    """What a card tells of a row, as the page's script puts it together."""
    return [
        column["before"] + column["says"][column["at"][row]] for column in columns["facts"] if column["at"][row] >= 0
    ]
