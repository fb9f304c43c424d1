"""Loading of cases: from installed packages by entry point, and from any Python file by its path."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from btlib import extras, fingerprint
from btlib.cases.case import CASES, Case
from btlib.errors import BtlibError
from btlib.paths import project_root
from btlib.registry import Registry, entry_points, import_entry_points, unknown_name

MODULE = "btlib_case_"
"""Prefix of the name of a module imported from a file. The fingerprint of the imported code follows it."""

_FILES: dict[Path, tuple[ModuleType, list[str]]] = {}
"""Imported files with their modules and the cases that each registered. Each file is imported only once."""


GROUP = "btlib.cases"
"""Group of entry points for installed packages that register cases."""


def load_cases() -> Registry[Case]:
    """Return all cases, including those of installed packages (entry points in the group `btlib.cases`).

    An entry point names a module that registers its cases when it is imported.

    Raises:
        BtlibError: Such a module cannot be imported.
    """
    import_entry_points(GROUP)
    return CASES


def project_cases(root: Path) -> dict[str, Case]:
    """Return the cases that the files of the user's project have registered so far, without installed packages.

    Args:
        root: Project folder (see `btlib.paths.project_root`). A package in it belongs to the project, even if it is
            installed.

    Raises:
        BtlibError: See `load_cases`.
    """
    cases = load_cases()
    packages = {point.module.partition(".")[0] for point in entry_points(GROUP)}
    return {name: cases[name] for name in cases if not _installed(cases[name], packages, root.resolve())}


def _installed(case: Case, packages: set[str], root: Path) -> bool:
    """Whether a case comes from one of these packages, and the package is outside the project."""
    if case.module.partition(".")[0] not in packages or case.file is None:
        return False
    return "site-packages" in case.file.parts or project_root(case.file.parent) != root


def load_case(spec: str, folder: Path | None = None) -> Case:
    """Return a case by its registered name, or by file and name. The case is in the registry afterwards.

    Args:
        spec: "name", "path/to/file.py::name", or "path/to/file.py" if the file registers exactly one case. For a file,
            `name` is the registered name of a case, a variable that contains a `Case`, or a function with `@case`.
        folder: Folder to which the path is relative; by default the current folder, or else the project folder.

    Raises:
        BtlibError: The file does not exist or cannot be imported, or it registers a name that is already registered.
        UnknownNameError: No case has this name. The message suggests the most similar name.
        MissingExtraError: The file needs a framework that is not installed.
    """
    cases = load_cases()
    path, colons, name = spec.partition("::")
    if not colons and not path.endswith(".py"):
        return cases[spec]
    given = Path(path).expanduser()
    places = [base / given for base in ([folder] if folder else [Path(), project_root()])]
    file = next((place for place in places if place.is_file()), places[0]).resolve()
    module, own = _imported(file)
    return _chosen(module, own, name) if name else _only(own, file)


def spec_of(case: Case) -> str | None:
    """Return the text with which `load_case` finds a case: its name, or file and name; None for a case without file."""
    packages = {point.module.partition(".")[0] for point in entry_points(GROUP)}
    if case.module.partition(".")[0] in packages:
        return case.name
    return None if case.file is None else f"{case.file}::{case.name}"


def _chosen(module: ModuleType, own: list[str], name: str) -> Case:
    if name in own:
        return CASES[name]
    found = vars(module).get(name)
    if isinstance(found, Case):
        known = found.name in CASES and CASES[found.name] is found
        return found if known else CASES.add(found.name, found)
    named = [value for value in vars(module).values() if isinstance(value, Case) and value.name == name]
    if named:
        return named[0] if name in CASES and CASES[name] is named[0] else CASES.add(name, named[0])
    decorated = [CASES[case] for case in own if found is not None and CASES[case].prepare is found]
    if decorated:
        return decorated[0]
    if callable(found):
        raise BtlibError(
            f"{name!r} is not a case", where=module.__file__, hint="decorate the function with @case(…), or use a Case"
        )
    variables = [key for key, value in vars(module).items() if isinstance(value, Case)]
    raise unknown_name("case", name, {*own, *variables}, where=module.__file__)


def _only(own: list[str], file: Path) -> Case:
    if len(own) != 1:
        raise BtlibError(
            f"expected one case, the file registers {', '.join(own) or 'none'}",
            where=file,
            hint=f"name the case: {file}::NAME",
        )
    return CASES[own[0]]


def _imported(file: Path) -> tuple[ModuleType, list[str]]:
    """Import a file once, and return its module and the names of the cases that it registered."""
    if file not in _FILES:
        if file.suffix != ".py" or not file.is_file():
            problem = "expected a Python file" if file.exists() else "the file does not exist"
            raise BtlibError(problem, where=file, hint="give path/to/file.py::NAME")
        before = set(CASES)
        module = _already_imported(file) or _import(file)
        _FILES[file] = module, [name for name in CASES if name not in before or CASES[name].file == file]
    return _FILES[file]


def _already_imported(file: Path) -> ModuleType | None:
    """Return the module if another file already imported it. A second import would register its cases twice."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place and not name.startswith(MODULE) and Path(place).name == file.name and Path(place).resolve() == file:
            return module
    return None


def _import(file: Path) -> ModuleType:
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # so that it can import files in its folder, as a script can
    try:
        # the name depends on the content only, so that its pickles can be read after the file was moved
        name = MODULE + fingerprint.of_sources([file])
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None  # neither is None for a .py file
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        with extras.named(file):
            spec.loader.exec_module(module)
    except BtlibError as error:
        raise type(error)(error.problem, where=error.where or file, hint=error.hint) from error
    except Exception as error:  # the user's code may raise anything
        raise BtlibError(
            f"cannot be imported: {type(error).__name__}: {error}", where=file, hint="run python FILE to see the line"
        ) from error
    return module
