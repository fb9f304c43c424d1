"""Sources of numbers to compare that are files of scores: CSV or Parquet."""

import math
from collections.abc import Sequence
from pathlib import Path

from btlib.data.task import Score
from btlib.errors import OptionError
from btlib.gate.from_results import reference
from btlib.numbers import as_result, define, is_scores_file, read_scores
from btlib.reporting.names import check_titles
from btlib.reporting.sources import Source

CASE = "all samples"
"""Name of the case that each file of scores is."""


def are_scores(texts: Sequence[str]) -> bool:
    """Whether the sources that the user named are files of scores.

    Raises:
        OptionError: Only some of them are.
    """
    found = [is_scores_file(text) for text in texts]
    if any(found) and not all(found):
        raise OptionError(
            f"{texts[found.index(True)]} is a file of scores, but {texts[found.index(False)]} is not",
            where="btlib compare",
            hint="compare files of scores (.csv, .parquet) with each other",
        )
    return all(found)


def definitions(
    names: Sequence[str], margins: Sequence[str], *, lower_is_better: bool = False, lower: Sequence[str] = ()
) -> tuple[Score, ...]:
    """Return the scores that the user named in options.

    Args:
        names: Values of `--metric`.
        margins: Values of `--margin`: VALUE for a single metric, else METRIC=VALUE.
        lower_is_better: Whether lower values of all scores are better.
        lower: Scores of which lower values are better.

    Raises:
        OptionError: A metric or its margin is missing or unknown, or a margin is not above 0 and finite.
    """
    if not names:
        raise OptionError("expected the columns to compare", where="--metric", hint="for example --metric wer")
    if len(set(names)) < len(names):
        raise OptionError("a metric is named more than once", where="--metric", hint="name each column once")
    if unknown := [name for name in lower if name not in names]:
        raise OptionError(f"{unknown[0]!r} is not among the metrics", where="--lower", hint="name it with --metric too")
    found = dict(_margin(text, names) for text in margins)
    for name in names:
        if name not in found:
            example = f"--margin {name}=0.01" if len(names) > 1 else "--margin 0.01"
            raise OptionError(
                f"expected the loss of {name} to tolerate", where="--margin", hint=f"for example {example}"
            )
    worse = set(names) if lower_is_better else set(lower)
    directions = {name: "lower" if name in worse else "higher" for name in names}
    return tuple(define(name, direction=directions[name], margin=found[name]) for name in names)


def load_scores(
    texts: Sequence[str], scores: Sequence[Score], group: str | None, titles: Sequence[str], *, retrained: bool
) -> list[Source]:
    """Read files of scores as sources of one case each.

    Args:
        texts: Paths of the files.
        scores: Scores to judge.
        group: Column of groups; None if the samples are independent.
        titles: Titles of the sources; empty to use the paths.
        retrained: Whether the model was trained anew between the measurements.

    Raises:
        BtlibError: A file cannot be read (see `read_scores`).
    """
    check_titles(titles, texts)
    names = [score.name for score in scores]
    sources = []
    for text, title in zip(texts, titles or texts, strict=True):
        result = as_result(read_scores(Path(text), names, group), CASE, scores, retrained=retrained)
        sources.append(Source(title, (result,), reference([result], title)))
    return sources


def _margin(text: str, names: Sequence[str]) -> tuple[str, float]:
    metric, equals, value = text.rpartition("=")
    if not equals and len(names) == 1:
        metric = names[0]
    if metric not in names:
        raise OptionError(
            f"expected METRIC=VALUE with one of {', '.join(names)}, got {text!r}",
            where="--margin",
            hint=f"for example --margin {names[0]}=0.01",
        )
    try:
        margin = math.nan if "_" in value else float(value)
    except ValueError:
        margin = math.nan
    if not (margin > 0 and math.isfinite(margin)):
        raise OptionError(
            f"expected a finite number above 0, got {value!r}", where="--margin", hint="give the tolerated loss"
        )
    return metric, margin
