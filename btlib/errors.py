"""Every error btlib raises on purpose: one base class, messages that say where, what to do about it."""


class BtlibError(Exception):
    """Base of all deliberate btlib errors.

    Args:
        problem: What is wrong: what was expected and what came.
        where: The file, field, option or case at fault.
        hint: What the user can do about it.
    """

    def __init__(self, problem: str, *, where: object = None, hint: str | None = None) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.hint = hint
        parts = [problem if self.where is None else f"{self.where}: {problem}"]
        if hint:
            parts.append(f"Hint: {hint}")
        super().__init__("\n".join(parts))


class DataError(BtlibError):
    """A sample file, a data folder or the cache is not what it should be."""


class SplitError(BtlibError):
    """A split cannot be made from these samples, or does not hold together."""


class ModelError(BtlibError):
    """A model, its weights or its output is not what the case declared."""


class CheckpointError(ModelError):
    """A checkpoint is damaged, or belongs to another variant."""


class PredictionError(BtlibError):
    """A predictor returned something that cannot be scored."""


class StatsError(BtlibError):
    """A statistic is not defined for these numbers."""


class BaselineError(BtlibError):
    """A baseline file cannot be read, or does not follow its schema."""


class RecordError(BtlibError):
    """A run's record cannot be read, or does not follow its schema."""


class OptionError(BtlibError):
    """A command-line option, or a combination of them, cannot be honoured."""


class UnknownNameError(BtlibError):
    """A name that no registry knows; the message offers the nearest."""


class MissingExtraError(BtlibError):
    """An optional dependency is not installed; the message names the extra."""


class BtlibWarning(UserWarning):
    """Something a user should know that does not stop the work."""
