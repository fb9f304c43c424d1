"""Runs pytest sessions in forks of one process that has imported what they need.

A session has a process of its own, as with `python -m pytest`, and starts without the seconds that importing takes.
Started as a script, with the modules to import first as its arguments.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

FOR_SESSIONS = Path(__file__).parent / "for_sessions"
"""Plugins of pytest that sessions may name."""


class SessionServer:
    """The process, as its users see it.

    Args:
        modules: Imported before the first session. None of a pytest plugin: pytest rewrites these as they are imported.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def popen(self, command: Sequence[str], stdout: Any, stderr: Any, **_: Any) -> "ForkedSession":
        """Start `python -m pytest …`; a drop-in for `pytester.popen`.

        Args:
            command: What `pytester.runpytest_subprocess` gives: the interpreter, "-mpytest" and the arguments.
            stdout: The file that takes the output.
            stderr: The file that takes the errors.
        """
        assert list(command[:2]) == [sys.executable, "-mpytest"]
        folder = os.getcwd()  # noqa: PTH109
        path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")]))
        request = {
            "arguments": list(command[2:]),
            "folder": folder,
            "environment": {**os.environ, "PYTHONPATH": path},
            "stdout": stdout.name,
            "stderr": stderr.name,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return ForkedSession(self._process)

    def close(self) -> None:
        """End the process."""
        with self._process:
            pass


class ForkedSession:
    """A running session, with the part of `subprocess.Popen` that pytester uses."""

    stdin = None

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def wait(self) -> int:
        """Wait for the session's end and return its exit code."""
        assert self._server.stdout is not None
        answer = self._server.stdout.readline()
        assert answer, "the server of sessions has died"
        return int(answer)


def serve() -> None:
    """Answer each request, a line of JSON, with the session's exit code. In the session's process, run pytest."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run_session(**json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run_session(arguments: list[str], folder: str, environment: dict[str, str], stdout: str, stderr: str) -> NoReturn:
    """Become `python -m pytest`, and end as Python ends, but for taking each of the modules apart."""
    with open(os.devnull) as nothing, open(stdout, "w") as out, open(stderr, "w") as err:  # noqa: PTH123
        for number, file in enumerate((nothing, out, err)):
            os.dup2(file.fileno(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.argv[1:] = arguments
    code: object = 0
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code) if isinstance(code, int) else 1)


if __name__ == "__main__":
    sys.path.append(str(FOR_SESSIONS))
    for module in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # no session looks through what all of them share
    serve()
