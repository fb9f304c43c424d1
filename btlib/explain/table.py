"""Text tables of the measures of a case's maps."""

from collections.abc import Mapping

from tabulate import tabulate

from btlib.explain.explained import Group, Mean, Sanity


def tables(summary: Mapping[str, Group]) -> str:
    """Return two tables as text: the measures of the thesis, and hits and mass with those of control maps."""
    thesis = [
        [name, g.n, _ci(g.means["total_inside"], "+.3g"), _ci(g.means["total_outside"], "+.3g"), _ratio(g.ratio)]
        for name, g in summary.items()
    ]
    honest = [
        [
            name,
            f"{g.hits}/{g.n} [{g.hits_low:.2f}, {g.hits_high:.2f}]",
            f"{g.means['centre_pointing'].value:.2f}",
            f"{g.means['random_pointing'].value:.2f}",
            _ci(g.means["mass"], ".3f"),
            f"{g.means['centre_mass'].value:.3f}",
            f"{g.means['random_mass'].value:.3f}",
            f"{g.means['chance'].value:.3f}",
        ]
        for name, g in summary.items()
    ]
    silent = summary["all"].silent
    parts = [
        "As in the thesis: mean of the summed drops inside and outside of the tumour (the ratio is unstable near 0)",
        tabulate(thesis, ["", "samples", "inside", "outside", "ratio"], disable_numparse=True),
        "",
        "Average map: does the strongest pixel hit the tumour, and how much of the positive relevance lies in it",
        tabulate(
            honest,
            ["", "hits", "centre prior", "random", "mass in tumour", "centre prior", "random", "chance"],
            disable_numparse=True,
        ),
        "",
        _units(summary["all"]),
        *([f"{silent} maps have no positive relevance; their mass is equal to chance."] if silent else []),
    ]
    return "\n".join(parts)


def sanity_lines(sanity: Sanity) -> list[str]:
    """Return the result of the sanity check as text lines, one line per layer."""
    rows = [[step.layer, f"{step.correlation:+.2f}", f"{step.size:.2f}"] for step in sanity.steps]
    return [
        "Sanity check: rank correlation with the trained model's map if the weights from the last layer down to this "
        f"one are random ({len(sanity.ids)} samples, {sanity.draws} draws)",
        *tabulate(rows, ["layer", "correlation", "absolute"], disable_numparse=True).splitlines(),
    ]


def _units(group: Group) -> str:
    return f"Intervals: 95 %; means: bootstrap of {group.units} {group.unit}s; hits: Wilson's interval over samples."


def _ci(mean: Mean, form: str) -> str:
    bounds = "" if mean.low is None or mean.high is None else f" [{mean.low:{form}}, {mean.high:{form}}]"
    return f"{mean.value:{form}}{bounds}"


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.3g}"
