"""Looks for bytes that reach more of btlib's code, and so for faults, with atheris (libFuzzer for Python).

    pip install atheris
    python -m tests.fuzz.by_coverage record -runs=20000
    python -m tests.fuzz.by_coverage all -runs=1000

The arguments after the target's name are libFuzzer's. What breaks a target is printed with its bytes: they belong into
the corpus.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["btlib"]):
    from tests.fuzz.guided import CORPUS, TARGETS, Target


def main() -> int:
    """Fuzz one target until libFuzzer's limits, or all of them, each in a process of its own."""
    name = sys.argv[1]
    if name == "all":
        command = [sys.executable, "-m", "tests.fuzz.by_coverage"]
        return max(subprocess.run([*command, each, *sys.argv[2:]], check=False).returncode for each in TARGETS)
    target = Target(name)
    found = Path(tempfile.mkdtemp(prefix="btlib-corpus-"))
    if not target.sealed:
        (found / "sound").write_bytes(target.sound)
    kept = [str(folder) for folder in (CORPUS / name,) if folder.is_dir()]
    length = 60 if target.sealed else 2 * len(target.sound)

    def one(data: bytes) -> None:
        target.try_one(data)

    atheris.Setup(
        [sys.argv[0], str(found), *kept, f"-max_len={length}", "-len_control=0", *sys.argv[2:]],
        one,
    )
    os.chdir(found)  # where libFuzzer leaves what broke it
    atheris.Fuzz()  # ends the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
