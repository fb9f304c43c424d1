"""Tables that were written for a reader, taken apart."""


def rows(text: str) -> list[dict[str, str]]:
    """The rows of the first table in GitHub's format in a text: title of the column → cell."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, cells, strict=True)) for cells in body]
