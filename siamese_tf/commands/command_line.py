"""The command of the current process, for records."""

import shlex
import sys
from pathlib import Path


def command_line() -> str:
    """Returns the command as typed, without folders before the program and without `--resume`."""
    program = Path(sys.argv[0]).name
    if program == "__main__.py":  # python -m siamese_tf
        program = "siamese-tf"
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return shlex.join([*(["python"] if program.endswith(".py") else []), program, *arguments])
