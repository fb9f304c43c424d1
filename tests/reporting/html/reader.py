"""A page, taken apart."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each section by its id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {"": ""}
        self._section = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.text[self._section] = ""

    def handle_data(self, data):
        self.text[self._section] += data
