"""Check: number of samples of each class, in the data set and in each part of the split."""

from collections import Counter
from collections.abc import Iterator, Sequence

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Severity

_FEW = 10  # test samples


def check_classes(data: Examined) -> Iterator[Finding]:
    """Report the shares of the classes, absent classes and classes of few samples."""
    if data.classes:
        labels = [one.label for one in data.samples]
        yield from class_findings(data.classes, labels, [data.part(i) for i in range(len(labels))])


def class_findings(
    classes: Sequence[str], labels: Sequence[int | None], parts: Sequence[str | None]
) -> Iterator[Finding]:
    """Yield the findings on classes.

    Args:
        classes: Names of the classes.
        labels: Class of each sample.
        parts: Part of each sample, None without a split.
    """
    counts = Counter(labels)
    shares = ", ".join(f"{name} {counts[c]} ({counts[c] / max(len(labels), 1):.0%})" for c, name in enumerate(classes))
    numbers = {name: float(counts[c]) for c, name in enumerate(classes)}
    yield Finding(check="classes", severity="info", title=f"classes: {shares}", numbers=numbers)
    if absent := [name for c, name in enumerate(classes) if not counts[c]]:
        title, hint = f"no sample of {', '.join(absent)}", "add samples, or remove the class from task.toml"
        yield Finding(check="classes", severity="error", title=title, hint=hint)
    by_part = Counter(zip(parts, labels, strict=True))
    for part in [one for one in ("train", "val", "test") if one in parts]:
        numbers = {name: float(by_part[part, c]) for c, name in enumerate(classes)}
        missing = [name for c, name in enumerate(classes) if counts[c] and not by_part[part, c]]
        few = [name for c, name in enumerate(classes) if 0 < by_part[part, c] < _FEW]
        if missing:
            title = f"the part {part} has no sample of {', '.join(missing)}"
            severity: Severity = "warning" if part == "val" else "error"
            hint = "use another split"
            yield Finding(check="classes", severity=severity, title=title, numbers=numbers, hint=hint)
        if few and part == "test":
            title = f"fewer than {_FEW} test samples of {', '.join(few)}: numbers of this class are uncertain"
            yield Finding(check="classes", severity="warning", title=title, numbers=numbers)


CHECKS.add("classes", check_classes)
