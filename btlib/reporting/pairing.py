"""Whether differences are of the same samples."""

from collections.abc import Iterable


def pairing(methods: Iterable[str | None]) -> str:
    """In a sentence, by how intervals were made ("paired by patient", "unpaired, by patient"); "" without intervals."""
    paired = {method.startswith("paired") for method in methods if method is not None}
    if not paired:
        return ""
    if paired == {True}:
        return "Paired: both sides of each difference were measured on the same samples."
    if paired == {False}:
        return "Unpaired: the other side is a published mean, of which no values by sample are known."
    return "Paired only where the method says so; against published means, differences are unpaired."
