"""Section that a plug-in adds to the HTML report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """Section with a title, text and a figure.

    Attributes:
        title: Title as plain text.
        text: Paragraphs of plain text, separated by empty lines; may be empty.
        svg: Figure as SVG, for example from matplotlib; its style sheets are removed. "" for no figure.
    """

    title: str
    text: str = ""
    svg: str = ""
