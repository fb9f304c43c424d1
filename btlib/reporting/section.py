"""A section that a plug-in adds to the HTML report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A title, and what stands under it.

    Attributes:
        title: Plain text.
        text: Paragraphs of plain text, parted by empty lines; may be empty.
        svg: A figure as SVG, such as matplotlib writes it; style sheets in it are left out. "" for none.
    """

    title: str
    text: str = ""
    svg: str = ""
