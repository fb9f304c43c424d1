"""Text on whether differences are paired."""

from collections.abc import Iterable


def pairing(methods: Iterable[str | None]) -> str:
    """Return a sentence on the pairing of methods such as "paired by patient" or "unpaired, by patient"; may be ""."""
    paired = {method.startswith("paired") for method in methods if method is not None}
    if not paired:
        return ""
    if paired == {True}:
        return "Paired: both sides of each difference were measured on the same samples."
    if paired == {False}:
        return "Unpaired: the baseline value is a published mean; its values by sample are not known."
    return "Some differences are paired (see the method); differences from published means are unpaired."
