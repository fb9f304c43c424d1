"""Findings of an audit and the report that contains them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Literal["btlib-audit/1"] = "btlib-audit/1"
"""Version of the JSON file. A reader of another version must not guess."""

Severity = Literal["error", "warning", "info"]
"""error: numbers measured on these data would be wrong; warning: look at it; info: a fact to know."""

WORST_FIRST: tuple[Severity, ...] = ("error", "warning", "info")

_Texts = Annotated[tuple[str, ...], Field(strict=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)


class Item(_Frozen):
    """Samples that a finding is about, such as a faulty file or a pair of duplicates.

    Attributes:
        samples: Ids of the samples.
        others: Ids of samples of the second data set, if two sets are compared.
        message: What was found about these samples; may be empty.
    """

    samples: _Texts = ()
    others: _Texts = ()
    message: str = ""


class Finding(_Frozen):
    """Result of a check.

    Attributes:
        check: Name of the check.
        severity: How serious it is.
        title: One line that says what was found, with its numbers.
        items: Samples that it is about, all of them.
        numbers: Numbers by name, such as counts, shares, accuracies.
        hint: Hint for the user what to do; None if there is nothing to do.
    """

    check: str
    severity: Severity
    title: str
    items: Annotated[tuple[Item, ...], Field(strict=False)] = ()
    numbers: dict[str, float] = {}
    hint: str | None = None


class AuditReport(_Frozen):
    """Result of an audit.

    Attributes:
        schema_version: Version of this file, "btlib-audit/1".
        btlib: Version of btlib.
        place: Audited folder.
        other: Second folder, if two data sets were compared; otherwise None.
        task: Name of the task.
        samples: Number of samples.
        readable: Number of samples that could be read; only these were compared.
        image_size: Side in pixels to which masks were resized for the check of small structures.
        split: Name of the audited split; None if there is none.
        checks: Names of the checks that were made.
        findings: Findings, errors first.
    """

    schema_version: Literal["btlib-audit/1"] = Field(default=SCHEMA, alias="schema")
    btlib: str
    place: str
    other: str | None = None
    task: str
    samples: int
    readable: int
    image_size: int
    split: str | None = None
    checks: _Texts = ()
    findings: Annotated[tuple[Finding, ...], Field(strict=False)] = ()

    def count(self, severity: Severity) -> int:
        """Number of findings of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def as_json(self) -> str:
        """Return the report as JSON text."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return the findings with errors first; findings of the same severity keep their order."""
    return tuple(sorted(findings, key=lambda finding: WORST_FIRST.index(finding.severity)))


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as "1 pair" or "3 pairs"."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"
