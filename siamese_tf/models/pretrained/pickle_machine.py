"""Machine that reads a pickle without unpickling: opcodes build plain values, and nothing is imported or called.

`pickle` would import and call whatever a file names. Here, an opcode that could is refused, and a global name only
becomes what the caller lets it stand for.

Reference:
    `pickletools` in the Python standard library documents the opcodes.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any

from siamese_tf.errors import ModelFileError

MAX_OPCODES = 2**20  # of one pickle; the state_dict of InceptionResnetV1 has 25,000
HINT = "Save model.state_dict()"
PUSH = ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE")
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME")


class PickleMachine:
    """Stack and memo of the pickle machine, for opcodes that build plain values.

    Attributes:
        named: returns the stand-in for a global name, given its module and name; a function is called by REDUCE.
        persistent: returns the value of a persistent ID.
    """

    def __init__(self, named: Callable[[Any, Any], Any], persistent: Callable[[Any], Any]):
        self.named, self.persistent = named, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def load(self, file: IO[bytes]) -> Any:
        """Returns the value of the pickle at the position of the file, and leaves the file after it.

        Args:
            file: open binary file; the caller must limit its size.

        Raises:
            ModelFileError: if there are too many opcodes, or one is not allowed.
            Exception: any other, if the pickle is damaged.
        """
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number >= MAX_OPCODES:
                raise ModelFileError(f"its pickle must have at most {MAX_OPCODES:,} opcodes. {HINT}")
            if opcode.name == "STOP":
                break
            self.run(opcode.name, argument)
        return self.pop()

    def run(self, opcode: str, argument: Any) -> None:
        if opcode in PUSH:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in TUPLES:
            self.stack.append(tuple([self.pop() for _ in range(TUPLES[opcode])][::-1]))
        elif opcode not in IGNORED:
            method = getattr(self, f"_{opcode.lower()}", None)  # below, one method for each other opcode
            if method is None:
                raise ModelFileError(f"it contains more than tensors (opcode {opcode}). {HINT}")
            method(argument)

    def pop(self) -> Any:
        return self.stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        start = self.marks.pop()
        values, self.stack[start:] = self.stack[start:], []
        return values

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._pop_to_mark()))

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    def _append(self, _: None) -> None:
        value = self.pop()
        self.stack[-1].append(value)

    def _appends(self, _: None) -> None:
        values = self._pop_to_mark()
        self.stack[-1].extend(values)

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _setitem(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._set_items([key], [value])

    def _setitems(self, _: None) -> None:
        values = self._pop_to_mark()
        self._set_items(values[::2], values[1::2])

    def _set_items(self, keys: list[Any], values: list[Any]) -> None:
        if not all(isinstance(key, str) for key in keys):  # others could be chosen to have equal hashes
            raise ModelFileError(f"its names must be text. {HINT}")
        self.stack[-1].update(zip(keys, values, strict=True))

    def _binput(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, number: int) -> None:
        self.stack.append(self.memo[number])

    _long_binget = _binget

    def _global(self, names: str) -> None:
        self.stack.append(self.named(*names.split(" ", 1)))

    def _stack_global(self, _: None) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(self.named(module, name))

    def _reduce(self, _: None) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(function(*arguments))

    def _build(self, _: None) -> None:
        """Drops the attributes of a dictionary, such as the versions of the layers."""
        self.pop()

    def _binpersid(self, _: None) -> None:
        self.stack.append(self.persistent(self.pop()))
