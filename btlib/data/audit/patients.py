"""Check: patients and volumes with samples in several parts of the split."""

from collections.abc import Iterator, Sequence

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, counted


def check_patients(data: Examined) -> Iterator[Finding]:
    """Report patients and volumes across parts, and samples whose patient is unknown."""
    ids = [one.id for one in data.samples]
    parts = [data.part(i) for i in range(len(ids))]
    volumes = [one.volume for one in data.samples]
    yield from across(data.source.task.group, data.patients, ids, parts, data.split)
    yield from across("volume", volumes, ids, parts, data.split)
    yield from unknown_patients(data.source.task.group, data.patients, data.source.task.independent)


def across(
    kind: str, groups: Sequence[str | None], ids: Sequence[str], parts: Sequence[str | None], split: str | None
) -> Iterator[Finding]:
    """Yield a finding if a group has samples in several parts.

    Args:
        kind: Name of a group, such as "patient".
        groups: Group of each sample, None if it is unknown.
        ids: Id of each sample.
        parts: Part of each sample, None without a split.
        split: Name of the split.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for group, name, part in zip(groups, ids, parts, strict=True):
        if group is not None and part is not None:
            found.setdefault(group, {}).setdefault(part, []).append(name)
    shared = {group: where for group, where in found.items() if len(where) > 1}
    if not shared:
        return
    tested = sum(len(where.get("test", ())) for where in shared.values())
    yield Finding(
        check="patients",
        severity="error",
        title=f"{counted(len(shared), kind)} in more than one part of the split {split}; "
        f"{counted(tested, 'test sample')} concerned",
        items=tuple(
            Item(
                samples=tuple(name for names in where.values() for name in names),
                message=f"{group}: " + ", ".join(f"{len(names)} {part}" for part, names in where.items()),
            )
            for group, where in shared.items()
        ),
        numbers={"groups": len(shared), "test samples": tested},
        hint=f"keep all samples of a {kind} in one part",
    )


def unknown_patients(kind: str, groups: Sequence[str | None], independent: bool) -> Iterator[Finding]:
    """Yield a finding if the patients of samples are unknown and the task does not call its samples independent."""
    strange = sum(group is None for group in groups)
    if strange and not independent:
        yield Finding(
            check="patients",
            severity="warning",
            title=f"the {kind} of {strange} of {len(groups)} samples is unknown",
            numbers={"samples": strange},
            hint=f"add a column {kind}, or independent = true to task.toml if no two samples are of one {kind}",
        )


CHECKS.add("patients", check_patients)
