"""Runs functions in subprocesses and measures their time and peak memory; alternates between several of them.

A module whose functions run in subprocesses ends with `if __name__ == "__main__": worker()`.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


class ProcessKilled(SystemExit):
    """Raised when the system killed a subprocess, as it does when memory runs out."""


class Run(NamedTuple):
    """Cost and output of a subprocess.

    Attributes:
        cpu: processor time in seconds, summed over all cores.
        wall: wall time in seconds.
        bytes: peak resident memory.
        output: text written to standard output.
    """

    cpu: float
    wall: float
    bytes: float
    output: str

    @property
    def result(self) -> Any:
        """Return value of the function called by `run_in_process`."""
        return json.loads(self.output.splitlines()[-1])


def run(*arguments: str, cwd: Path | None = None, environment: Mapping[str, str] = ENVIRONMENT) -> Run:
    """Runs Python with these arguments and waits for it to end."""
    command = [sys.executable, "-W", "ignore", *arguments]
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            output = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        errors.seek(0)
        message = errors.read()
    if process.returncode < 0:
        raise ProcessKilled(f"bench: `{' '.join(command)}` was killed, perhaps because memory ran out")
    if process.returncode > 0:
        raise SystemExit(f"bench: `{' '.join(command)}` failed:\n{message}")
    return Run(usage.ru_utime + usage.ru_stime, wall, _peak(usage), output)


def median_run(runs: int, *arguments: str, cwd: Path | None = None) -> Run:
    """Returns the median costs of several runs, with the output of the last."""
    done = [run(*arguments, cwd=cwd) for _ in range(runs)]
    return Run(*(statistics.median(one[field] for one in done) for field in range(3)), done[-1].output)


def run_in_process(
    function: Callable[..., Any],
    *arguments: Any,
    cwd: Path | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Run:
    """Calls a function in a subprocess; its module calls `worker`, and its arguments must be JSON values."""
    return run(*_command(function, arguments), cwd=cwd, environment=environment)


def alternate(repeats: int, *prepared: tuple[Callable[..., Callable[[], Any]], tuple]) -> list[list[float]]:
    """Times several actions alternately, each in its own subprocess.

    Alternating exposes all actions to the same changes in the load of the machine.

    Args:
        repeats: number of timed calls of each action, after one warm-up call.
        prepared: pairs (function, arguments); the function returns the action to time.

    Returns:
        A list of length `repeats` with the seconds of each action.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", *_command(function, arguments)],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for function, arguments in prepared
    ]
    try:
        return [[_timed_call(process) for process in processes] for _ in range(repeats + 1)][1:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def peak() -> float:
    """Returns the peak resident memory of this process, in bytes."""
    return _peak(resource.getrusage(resource.RUSAGE_SELF))


def seconds(action: Callable[[], Any]) -> float:
    """Returns the seconds that an action takes, or its return value if that is a float (its own measurement)."""
    started = time.perf_counter()
    measured = action()
    return measured if isinstance(measured, float) else time.perf_counter() - started


def worker() -> None:
    """Calls the function named on the command line and prints its return value as JSON.

    If the function returns an action, runs it once for each line on standard input and prints its seconds.
    """
    name, arguments = sys.argv[1:]
    result = getattr(sys.modules["__main__"], name)(*json.loads(arguments))
    if not callable(result):
        print(json.dumps(result))
        return
    for _ in sys.stdin:
        print(seconds(result), flush=True)


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _command(function: Callable[..., Any], arguments: tuple) -> list[str]:
    return [function.__code__.co_filename, function.__name__, json.dumps(arguments)]


def _timed_call(process: subprocess.Popen) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())
    except (OSError, ValueError) as error:  # a broken pipe or an empty line: the subprocess has ended
        raise SystemExit(f"bench: `{' '.join(map(str, process.args))}` failed. Run it to see the error.") from error
