"""A page, taken apart."""

import unicodedata
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Tags with their attributes, the text of each section by its id, and tables by theirs: a list of cells a row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {"": ""}
        self.tables: dict[str | None, list[list[str]]] = {}
        self.cards: list[str] = []
        self._section = ""
        self._rows: list[list[str]] = []
        self._cell = self._card = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.text[self._section] = ""
        elif tag == "table":
            self._rows = self.tables[dict(attrs).get("id")] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._cell = True
        elif tag == "li" and self._section == "verdicts":
            self.cards.append("")
            self._card = True

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")
        self._card = self._card and tag != "li"

    def handle_data(self, data):
        self.text[self._section] += data
        if self._cell:
            self._rows[-1][-1] += data
        if self._card:
            self.cards[-1] += data

    def card(self, *words: str) -> str:
        """The text of the only card of the verdicts that holds all of some words."""
        (found,) = (card for card in map(_plain, self.cards) if all(word in card for word in words))
        return found

    def row(self, table: str, *first: str) -> list[str]:
        """The cells of the only row of a table that begins with some words, cell by cell."""
        (found,) = (
            cells
            for cells in ([_plain(cell) for cell in row] for row in self.tables[table])
            if all(cell.startswith(word) for cell, word in zip(cells, first, strict=False))
        )
        return found


def unreadable(text: str) -> set[str]:
    """Characters that no output may have: of control but ends of lines, and those that turn the text around them."""
    return {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in "\u2028\u202e\uffff"}


def _plain(text: str) -> str:
    return " ".join(text.split())
