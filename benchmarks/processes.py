"""Processes of their own: what they cost, what they answer, and how two of them take turns.

A module whose functions are to run in processes ends with `if __name__ == "__main__": serve()`.
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


class Killed(SystemExit):
    """The system ended a process, as it does where memory runs out."""


class Run(NamedTuple):
    """What a process cost: seconds of all processors, seconds by the clock, and the most bytes it held."""

    cpu: float
    wall: float
    bytes: float
    printed: str

    @property
    def answer(self) -> Any:
        """What the function of `in_a_process` returned."""
        return json.loads(self.printed.splitlines()[-1])


def run(*arguments: str, cwd: Path | None = None, environment: Mapping[str, str] = ENVIRONMENT) -> Run:
    """Runs Python with these arguments, to the end."""
    command = [sys.executable, "-W", "ignore", *arguments]
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=errors) as process:
            assert process.stdout is not None
            printed = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        errors.seek(0)
        why = errors.read()
    if process.returncode < 0:
        raise Killed(f"bench: `{' '.join(command)}` was killed, perhaps for want of memory")
    if process.returncode > 0:
        raise SystemExit(f"bench: `{' '.join(command)}` failed:\n{why}")
    return Run(usage.ru_utime + usage.ru_stime, wall, _peak(usage), printed)


def median_run(runs: int, *arguments: str, cwd: Path | None = None) -> Run:
    """The medians of several runs; of what they printed, the last."""
    done = [run(*arguments, cwd=cwd) for _ in range(runs)]
    return Run(*(statistics.median(one[field] for one in done) for field in range(3)), done[-1].printed)


def in_a_process(
    function: Callable[..., Any],
    *arguments: Any,
    cwd: Path | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Run:
    """Calls a function of a module that serves, with plain values, in a process of its own."""
    return run(*_command(function, arguments), cwd=cwd, environment=environment)


def take_turns(turns: int, *prepared: tuple[Callable[..., Callable[[], Any]], tuple]) -> list[list[float]]:
    """Seconds of actions that take turns, each in a process of its own.

    Args:
        turns: how often each is run, after a first time that does not count.
        prepared: functions that prepare an action and return it, with their arguments.

    Returns:
        For each turn, the seconds of each action.
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
        return [[_turn(process) for process in processes] for _ in range(turns + 1)][1:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def peak() -> float:
    """The most bytes that this process has held."""
    return _peak(resource.getrusage(resource.RUSAGE_SELF))


def seconds(action: Callable[[], Any]) -> float:
    """The seconds that an action takes, or those that it returns as a float because not all of it should count."""
    started = time.perf_counter()
    counted = action()
    return counted if isinstance(counted, float) else time.perf_counter() - started


def serve() -> None:
    """In the process: calls the function named on the command line, and prints what it returns.

    Of an action, returned to take turns, it prints the seconds each time that a line comes in.
    """
    name, arguments = sys.argv[1:]
    answer = getattr(sys.modules["__main__"], name)(*json.loads(arguments))
    if not callable(answer):
        print(json.dumps(answer))
        return
    for _ in sys.stdin:
        print(seconds(answer), flush=True)


def _peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _command(function: Callable[..., Any], arguments: tuple) -> list[str]:
    return [function.__code__.co_filename, function.__name__, json.dumps(arguments)]


def _turn(process: subprocess.Popen) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())
    except (OSError, ValueError) as error:  # a broken pipe, or an empty line: the process has ended
        raise SystemExit(f"bench: `{' '.join(map(str, process.args))}` failed; run it to see why") from error
