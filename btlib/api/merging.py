"""Merging of runs: the records of several folders become one run, which is judged and reported together."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from btlib import files
from btlib.errors import RecordError
from btlib.runs import RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.record import CaseRecord


def merge(folders: Sequence[Path], target: Path, name: str | None = None) -> RunStore:
    """Copy the records of runs, with their curves, masks, explanations and splits, into a new folder.

    The runs must have the same protocol, samples and baseline. They may differ in their cases, seeds and folds. A cell
    in several runs must have the same numbers in all of them. Runs with stages of seeds may differ only in their cases,
    because a case goes on or stops by all its seeds and folds so far.

    Args:
        folders: Folders of the runs, at least two.
        target: New folder, which must not exist.
        name: Title of the new run; None uses the name of the folder.

    Raises:
        RecordError: There are fewer than two runs, they do not fit together, a record is damaged, or the new folder
            exists.
    """
    if len(folders) < 2:
        raise RecordError("expected at least two runs", where="btlib merge", hint="name another run")
    if target.exists():
        raise RecordError("the folder already exists", where=target, hint="name a new folder with --out")
    stores = [RunStore(folder) for folder in folders]
    infos = [store.info() for store in stores]
    for store, info in zip(stores[1:], infos[1:], strict=True):
        _require_alike(infos[0], info, stores[0].path, store.path)
    chosen: dict[Cell, tuple[RunStore, CaseRecord]] = {}
    alike: dict[str, tuple[RunStore, CaseRecord]] = {}
    explained: dict[str, RunStore] = {}
    for store in stores:
        for record in store.records():
            first = alike.setdefault(record.case, (store, record))
            _require_same_provenance(first[1], record, first[0].path, store.path)
            if "explanation" in record.measured and "explanation" not in record.problems:
                explained.setdefault(record.case, store)
            before = chosen.get(record.cell)
            if before is not None:
                _require_same(before[1], record, before[0].path, store.path)
            chosen[record.cell] = (store, record) if before is None else (before[0], _together(before[1], record))
    stops = _stops(stores, infos, chosen)
    conditions: dict[str | None, tuple[RunStore, CaseRecord]] = {}
    for store, record in chosen.values():
        first = conditions.setdefault(record.fold, (store, record))
        if first[1].conditions != record.conditions:
            raise RecordError(
                f"{record.cell} was measured under different conditions than {first[1].cell} of {first[0].path}",
                where=store.path,
                hint="merge runs of one protocol on the same samples",
            )
    merged = RunStore(target)
    for store, record in chosen.values():
        _copy(store, merged, record)
    for case, store in explained.items():
        for suffix in ("npz", "json", "csv", "svg"):
            path = store.explain_place.file(case, suffix)
            if path.exists():
                _copy_file(path, merged.explain_place.file(case, suffix))
    for store in stores:
        for path in [store.split_path(), *(store.path / "splits").glob("*.json")]:
            if path.exists():
                _copy_file(path, target / path.relative_to(store.path))
    for case, seeds in stops.items():
        merged.save_stop(case, seeds)
    merged.save_info(_joined(infos, [str(path) for path in folders], name))
    return merged


def _require_alike(first: RunInfo, other: RunInfo, first_path: Path, other_path: Path) -> None:
    staged = bool(first.stages or other.stages)
    fields = ("tier", "task", "image_size", "recipe", "against", "strict", "alpha", "rescore", "stages")
    for field in (*fields, *(("seeds", "folds") if staged else ())):
        ours, theirs = getattr(first, field), getattr(other, field)
        if ours != theirs:
            raise RecordError(
                f"{field}: this run has {theirs!r}, and {first_path} has {ours!r}",
                where=other_path,
                hint=f"merge runs that differ only in {'cases' if staged else 'cases, seeds or folds'}",
            )
    if Path(first.baseline).stem != Path(other.baseline).stem:
        raise RecordError(
            f"this run is compared with {other.baseline}, and {first_path} with {first.baseline}",
            where=other_path,
            hint="merge runs with the same baseline",
        )
    if bool(first.folds) != bool(other.folds):
        ours, theirs = ("folds" if run.folds else "one split" for run in (first, other))
        raise RecordError(f"this run has {theirs}, and {first_path} has {ours}", where=other_path)


def _stops(stores: Sequence[RunStore], infos: Sequence[RunInfo], chosen: Mapping[Cell, object]) -> dict[str, int]:
    """Return where cases stopped before the last stage. No record after this stage may exist, in no run."""
    found: dict[str, int] = {}
    for store, info in zip(stores, infos, strict=True):
        for case, seeds in info.stopped.items():
            later = [cell for cell in chosen if cell.case == case and cell.seed in info.seeds[seeds:]]
            if later:
                raise RecordError(
                    f"case {case} stopped after {seeds} of {len(info.seeds)} seeds, but another run has {later[0]}",
                    where=store.path,
                    hint="merge only one of the runs of this case",
                )
            found[case] = seeds
    return found


def _require_same(one: CaseRecord, other: CaseRecord, path: Path, other_path: Path) -> None:
    """Raise an error if two records of one cell differ. The user must not be able to choose between them."""
    if (one.outcome, one.samples) != (other.outcome, other.samples):
        raise RecordError(
            f"{other.cell} has different numbers than in {path}",
            where=other_path,
            hint="merge runs of different cells, or remove one of the two records",
        )


def _require_same_provenance(one: CaseRecord, other: CaseRecord, path: Path, other_path: Path) -> None:
    """Raise an error if cells of one case have different code, engine, precision or metric definitions."""

    def provenance(record: CaseRecord) -> dict[str, object]:
        details = record.model.details if record.model else {}
        ways = {name: details.get(name) for name in ("engine", "precision")} if record.model and one.model else {}
        return {"code": record.code.digest if record.code else None, "metrics": record.metrics, **ways}

    for name, value in provenance(other).items():
        known = provenance(one).get(name, value)
        if value != known:
            raise RecordError(
                f"{name}: {other.cell} differs from {one.cell} of {path}",
                where=other_path,
                hint="merge runs of the same code, engine and precision",
            )


def _together(one: CaseRecord, other: CaseRecord) -> CaseRecord:
    """Return the record of a cell with the measures of both runs."""
    sound = ({*one.measured} - {*one.problems}) | ({*other.measured} - {*other.problems})
    problems = {what: why for what, why in {**other.problems, **one.problems}.items() if what not in sound}
    speed = one.speed or other.speed
    if one.speed is not None and other.speed is not None:
        speed = one.speed.model_copy(update={"figures": {**other.speed.figures, **one.speed.figures}})
    return one.model_copy(
        update={
            "measured": list(dict.fromkeys([*one.measured, *other.measured])),
            "problems": problems,
            "speed": speed,
            "planted": {**other.planted, **one.planted},
        }
    )


def _copy(store: RunStore, target: RunStore, record: CaseRecord) -> None:
    cell = record.cell
    for path in (store.masks_path(cell), store.curves_path(cell)):
        if path.exists():
            _copy_file(path, target.path / path.relative_to(store.path))
    target.save_record(record)  # last, after the files that it describes


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(target) as part:
        shutil.copyfile(source, part)


def _joined(infos: Sequence[RunInfo], folders: Sequence[str], name: str | None) -> RunInfo:
    first = infos[0]

    def together(field: str) -> list:  # type: ignore[type-arg]  # of text or of numbers
        return list(dict.fromkeys(value for info in infos for value in getattr(info, field)))

    measures: dict[str, list[str]] = {}
    for info in infos:
        for case, names in info.measures.items():
            measures[case] = sorted({*measures.get(case, []), *names})
    commits = {(info.commit, info.dirty) for info in infos}
    return first.model_copy(
        update={
            "name": name,
            "command": shlex.join(["btlib", "merge", *folders]),
            "data": "; and ".join(dict.fromkeys(info.data for info in infos)),
            "cases": together("cases"),
            "seeds": sorted(together("seeds")),
            "folds": sorted(together("folds")),
            "specs": {name: spec for info in infos for name, spec in info.specs.items()},
            "measures": measures,
            "options": None,
            "dirty": first.dirty if len(commits) == 1 else True,
            "load_seconds": sum(info.load_seconds for info in infos),
        }
    )
