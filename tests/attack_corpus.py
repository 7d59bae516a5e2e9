"""Hostile model files, built from a good one: what a stranger may send to whom loads models.

Each would run code (it makes the file `ran`), read a file beside it (`secret.*`), exhaust the machine, or give a model
that answers nonsense.
"""

import io
import json
import os
import pickle
import stat
import struct
import subprocess
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
SECRET = 1234.5  # each number in the files that no model may be read from
BIAS, KERNEL, SCALE = "tower.02.bias", "tower.02.kernel", "head.scale"  # shapes (4,), (64, 4), ()
NEITHER, KERAS, BOTH = "neither", "keras", "both"


class Attack(NamedTuple):
    """A file, and which loaders may open it because they do not look at what is hostile in it."""

    name: str
    content: bytes
    loads: str = NEITHER


class Corpus:
    """The attacks on one machine: `marker` is made by code that runs, `secrets` must not be opened."""

    def __init__(self, folder: Path, good: bytes):
        self.folder, self.good = folder, good
        self.marker = folder / "ran"
        self.secrets = [folder / "secret.bin", folder / "secret.h5", folder / "secret.npz"]
        numbers = np.full(64 * 4, SECRET, "<f4")
        self.secrets[0].write_bytes(numbers.tobytes())
        with h5py.File(self.secrets[1], "w") as file:
            for name, shape in (("scale", ()), ("bias", (4,)), ("kernel", (64, 4))):
                file[f"vars/{name}"] = np.full(shape, SECRET, np.float32)
        np.savez(self.secrets[2], bias=numbers[:4])

    def attacks(self) -> Iterator[Attack]:
        yield from self._archives()
        yield from self._pickles()
        yield from self._classes()
        yield from self._configs()
        yield from self._hdf5()
        yield from self._numbers()

    # Building blocks

    def members(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.good)) as archive:
            return {name: archive.read(name) for name in (CONFIG, METADATA, WEIGHTS)}

    def with_members(self, **changes: bytes | None) -> bytes:
        """The keys are `config`, `metadata`, `weights`, or a name of its own; None takes a member away."""
        names = {"config": CONFIG, "metadata": METADATA, "weights": WEIGHTS}
        members = {**self.members(), **{names.get(key, key): content for key, content in changes.items()}}
        return packed(*((name, content) for name, content in members.items() if content is not None))

    def with_outer(self, **changes: object) -> bytes:
        return self.with_members(config=json.dumps({**json.loads(self.members()[CONFIG]), **changes}).encode())

    def with_config(self, **changes: object) -> bytes:
        config = json.loads(self.members()[CONFIG])["config"]
        return self.with_outer(config={**config, **changes})

    def with_text(self, old: str, new: str) -> bytes:
        text = self.members()[CONFIG].decode()
        assert text.count(old) == 1, old
        return self.with_members(config=text.replace(old, new).encode("utf-8", "surrogatepass"))

    def with_hdf5(self, change: Callable[[h5py.File], object]) -> bytes:
        weights = io.BytesIO(self.members()[WEIGHTS])
        with h5py.File(weights, "r+") as file:
            change(file)
        return self.with_members(weights=weights.getvalue())

    def with_array(self, name: str, **dataset: object) -> bytes:
        def change(file: h5py.File) -> None:
            del file["vars"][name]
            file["vars"].create_dataset(name, **dataset)

        return self.with_hdf5(change)

    def payloads(self) -> dict[str, object]:
        command = f"touch {self.marker}"
        code = f"open({str(self.marker)!r}, 'w').close()"
        return {
            "os.system": Call(os.system, command),
            "os.mkdir": Call(os.mkdir, str(self.marker)),
            "exec": Call(exec, code),
            "eval": Call(eval, code),
            "subprocess": Call(subprocess.check_call, ["touch", str(self.marker)]),
            "touch": Call(Path.touch, self.marker),
        }

    # The attacks

    def _archives(self) -> Iterator[Attack]:
        good, members = self.good, self.members()
        for name, content in {
            "empty": b"",
            "text": b"hello",
            "only the end": struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0),
            "a shell script before": b"#!/bin/sh\n" + good,
            "bytes before": good[:4] + good,
            "twice": good + good,
            "bytes after": good + b"\0" * 30,
            "a zip after": good + packed((CONFIG, b"{}")),
            "hdf5": members[WEIGHTS],
            "json": members[CONFIG],
            "65,535 members": good[:-14] + b"\xff\xff\xff\xff" + good[-10:],
            "a comment": good[:-2] + b"\x04\x00PK\x05\x06",
        }.items():
            yield Attack(f"archive: {name}", content)
        for part in (0.01, 0.2, 0.5, 0.9, 0.999):
            yield Attack(f"archive: cut at {part}", good[: int(part * len(good))])
        for name in (
            *(
                "extra.txt",
                "../evil.py",
                "../../evil",
                "/etc/evil",
                "C:\\evil",
                "..\\evil.py",
                "assets/",
                "assets/a.txt",
            ),
            *("CONFIG.JSON", "config.json/", "./config.json", "config.json ", "config.json\0.txt", "saved_model.pb"),
            *("model.weights.npz", "model.h5", "variables/variables.index", "é" * 300, "__init__.py", "\x1b[31m"),
        ):
            yield Attack(f"archive: one more member {name!r:.30}", packed(*members.items(), (name, b"x")))
        for name in members:
            yield Attack(f"archive: {name} twice", packed(*members.items(), (name, members[name])))
            yield Attack(f"archive: {name} first empty", packed((name, b""), *members.items()))
            yield Attack(f"archive: no {name}", packed(*(item for item in members.items() if item[0] != name)))
            yield Attack(f"archive: {name} a link", packed(*members.items(), special=name, mode=stat.S_IFLNK | 0o777))
            yield Attack(f"archive: {name} a device", packed(*members.items(), special=name, mode=stat.S_IFCHR))
            for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
                content = packed(*members.items(), special=name, method=method)
                yield Attack(f"archive: {name} with method {method}", content)
            entry, local = good.rindex(name.encode()) - 46, good.index(name.encode()) - 30
            for what, place, value in (
                *(("encrypted", 8, 1), ("with sizes behind", 8, 8), ("of a patch", 8, 32), ("of version 99", 6, 99)),
                *(("stored twice as long", 24, 255), ("of another checksum", 16, 1), ("elsewhere", 42, 7)),
                *(
                    ("with a disk", 34, 1),
                    ("with a comment", 32, 1),
                    ("with extra fields", 30, 4),
                    ("long-named", 28, 255),
                ),
            ):
                copy = bytearray(good)
                copy[entry + place] ^= value
                yield Attack(f"archive: {name} {what}", bytes(copy))
            renamed = bytearray(good)
            renamed[local + 30] ^= 0x20
            yield Attack(f"archive: {name} under two names", bytes(renamed))
        bomb = {**members, WEIGHTS: bytes(2**24)}
        yield Attack("archive: bomb", packed(*bomb.items(), special=WEIGHTS, method=zipfile.ZIP_DEFLATED))

    def _pickles(self) -> Iterator[Attack]:
        for name, payload in self.payloads().items():
            array = np.array([payload], object)
            stores = {
                "__root__": saved(np.savez, __root__=array),
                "vars": saved(np.savez, vars=array),
                "npy": saved(np.save, array),
                "pickle": pickle.dumps(payload),
            }
            for where, content in stores.items():
                yield Attack(f"pickle: {name} in {where} beside", self.with_members(**{"model.weights.npz": content}))
                instead = {"model.weights.npz": content, "weights": None}
                yield Attack(f"pickle: {name} in {where} instead", self.with_members(**instead))
            yield Attack(f"pickle: {name} as weights", self.with_members(weights=stores["pickle"]))
            yield Attack(f"pickle: {name} as config", self.with_members(config=stores["pickle"]))
            yield Attack(f"pickle: {name} as the file", stores["pickle"])
        config = self.members()[CONFIG].replace(b'"record": {', b'"record": {"a": NaN, ')
        yield Attack(
            "pickle: behind a config that is not equal to itself",
            self.with_members(**{"config": config, "weights": None, "model.weights.npz": stores["__root__"]}),
        )

    def _classes(self) -> Iterator[Attack]:
        """Configs that name other classes and functions, in place of ours and inside it."""
        marker = str(self.marker)
        objects = {
            "os.system": {"module": "os", "class_name": "system", "config": f"touch {marker}"},
            "posix": {"module": "posix", "class_name": "function", "config": "system"},
            "subprocess": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", marker]}},
            "builtins": {"module": "builtins", "class_name": "exec", "config": {"source": "1"}},
            "a lambda": {"class_name": "__lambda__", "config": {"value": lambda_code(marker)}},
            "a Lambda": {
                "module": "keras.layers",
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {"value": lambda_code(marker)}}},
            },
            "get_file": {
                "module": "keras.utils",
                "class_name": "function",
                "config": "get_file",
                "registered_name": "get_file",
            },
        }
        for name, description in objects.items():
            yield Attack(f"class: {name} instead", self.with_members(config=json.dumps(description).encode()))
            outer = {**description, "registered_name": "siamese_tf>SiameseModel"}
            yield Attack(f"class: {name} under our name", self.with_members(config=json.dumps(outer).encode()))
            names = "tower head record threshold views resize invert center input_size embedding_dim"
            for field in names.split():
                if field != "record":  # any plain values are a record
                    yield Attack(f"class: {name} as {field}", self.with_config(**{field: description}))
            yield Attack(f"class: {name} as config", self.with_outer(config=description))
            yield Attack(f"class: {name} as an argument", self.with_config(custom=description))
            yield Attack(f"class: {name} compiled", self.with_outer(compile_config={"loss": description}), BOTH)
            yield Attack(f"class: {name} optimizer", self.with_outer(compile_config={"optimizer": description}), BOTH)
            yield Attack(f"class: {name} built", self.with_outer(build_config={"input_shape": description}), BOTH)
            yield Attack(f"class: {name} beside", self.with_outer(shared_object_id=1, other=description))
        for key in ("module", "class_name", "registered_name"):
            for value in ("os", "builtins>eval", "keras.layers", "siamese_tf.files", "", None, 1, [], {}):
                if (key, value) != ("registered_name", None):
                    yield Attack(f"class: {key} is {value!r}", self.with_outer(**{key: value}))
        yield Attack(
            "class: huge input shape", self.with_outer(build_config={"input_shape": [None, 2**31, 2**31, 3]}), BOTH
        )

    def _configs(self) -> Iterator[Attack]:
        for name, text in {
            **{"empty": b"", "brace": b"{", "nulls": bytes(50), "list": b"[]", "null": b"null", "NaN": b"NaN"},
            **{"deep": b"[" * 10**5 + b"]" * 10**5, "deep objects": b'{"a":' * 10**5 + b"1" + b"}" * 10**5},
            **{"long number": b"1" * 10**5, "UTF-16": '{"a": 1}'.encode("utf-16"), "not UTF-8": b'{"a": "\xff"}'},
        }.items():
            yield Attack(f"JSON: {name}", self.with_members(config=text))
        for old, new in (
            *(("0.5", "NaN"), ("0.5", "Infinity"), ("0.5", "-Infinity"), ("0.5", "1e999"), ("0.5", "1.0000001")),
            *(("0.5", "-1e-9"), ("0.5", "true"), ("0.5", '"0.5"'), ("0.5", "null"), ("0.5", "9" * 5000)),
            *(('"record": {', '"record": {"a": NaN, '), ('"record": {', '"record": {"a": 1e999, ')),
            *(('"record": {', '"record": {"a": 1, "a": 2, '), ('"head":', '"head": "cosine", "head":')),
            ('"record": {', '"record": {"a": ' + "[" * 10**5 + "]" * 10**5 + ", "),
        ):
            yield Attack(f"JSON: {old} -> {new:.40}", self.with_text(old, new))
        for size in (
            *([2048, 2048, 1], [2048, 2048, 3], [2048, 2048, 2048], [8, 8], [8, 8, 1, 1], [8, 8, 0], [8, 8, -1], []),
            *(
                [8.0, 8, 1],
                [True, 8, 1],
                [10**30, 8, 1],
                "881",
                None,
                [None, None, 1],
                [[8], 8, 1],
                [8, 10, 1],
                [10, 8, 1],
            ),
        ):
            yield Attack(f"config: input_size {size}", self.with_config(input_size=size))
        for tower in ("small_cnn", "resnet", "tnn", "hog", "koch", "inception_resnet_v1", "mobilenet_v2", "resnet50"):
            for size in ([8, 8, 1], [2048, 2048, 3]):
                yield Attack(f"config: {tower} of {size}", self.with_config(tower=tower, input_size=size))
        for field, values in {
            "tower": ("custom", "vgg", "", "../../tower", "x" * 9000, "\x1b[31m", None, 1),
            "head": ("concat", "manhattan", "", "x" * 9000, None, ["cosine"]),
            "embedding_dim": (0, -1, 4096, 2**31, 10**30, 4.0, "4", None, True),
            "views": ("all", "auto", None, ["one"], 1),
            "resize": ("fit", None, 1, {"pad": 1}),
            "invert": (None, 1, "true", [True]),
            "center": ("ink", True, 1, ["strokes"]),
            "record": ([], None, "text", 1),
            "lambda": (1,),
        }.items():
            for value in values:
                yield Attack(f"config: {field} {value!r:.30}", self.with_config(**{field: value}))

    def _hdf5(self) -> Iterator[Attack]:
        binary, other = str(self.secrets[0]), str(self.secrets[1])
        for name, shape, source in ((BIAS, (4,), "bias"), (KERNEL, (64, 4), "kernel"), (SCALE, (), "scale")):
            count = int(np.prod(shape, dtype=int))
            if shape:  # HDF5 has neither for a single number
                for where, path in (("beside", binary), ("relative", "secret.bin"), ("a device", "/dev/zero")):
                    content = self.with_array(name, shape=shape, dtype="f4", external=[(path, 0, 4 * count)])
                    yield Attack(f"HDF5: {name} in another file, {where}", content)
                yield Attack(f"HDF5: {name} virtual", self.with_hdf5(virtual(name, other, source, shape)))
                yield Attack(f"HDF5: {name} virtual, of itself", self.with_hdf5(virtual(name, ".", BIAS, (4,))))
                for filters in (
                    *({"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"fletcher32": True}),
                    *({}, {"scaleoffset": 2}, {"maxshape": (None,) * len(shape)}),
                ):
                    content = self.with_array(name, data=np.zeros(shape, "f4"), chunks=shape, **filters)
                    yield Attack(f"HDF5: {name} in chunks {filters}", content)
                yield Attack(f"HDF5: {name} not stored", self.with_array(name, shape=shape, dtype="f4", fillvalue=1.0))
            for what, link in {
                "an external link": h5py.ExternalLink(other, f"/vars/{source}"),
                "a relative external link": h5py.ExternalLink("secret.h5", f"/vars/{source}"),
                "a link to a device": h5py.ExternalLink("/dev/zero", "/"),
                "a soft link": h5py.SoftLink("/vars/tower.01.bias"),
                "a soft link to itself": h5py.SoftLink(f"/vars/{name}"),
                "a link to the group": h5py.SoftLink("/vars"),
            }.items():
                yield Attack(f"HDF5: {name} {what}", self.with_hdf5(replaced(f"vars/{name}", link)))
            yield Attack(f"HDF5: {name} its own group", self.with_hdf5(hard_link(f"vars/{name}", "vars")))
            yield Attack(f"HDF5: {name} a group", self.with_hdf5(replaced(f"vars/{name}", None)))
            for dtype in ("f8", "f2", ">f4", "i4", "u1", "c8", "bool", "S4", [("a", "f4")], ("f4", (2,))):
                yield Attack(f"HDF5: {name} of {dtype}", self.with_array(name, shape=shape, dtype=np.dtype(dtype)))
            for what, dtype in {
                "references": h5py.ref_dtype,
                "regions": h5py.regionref_dtype,
                "strings": h5py.string_dtype(),
                "sequences": h5py.vlen_dtype("f4"),
                "an enum": h5py.enum_dtype({"a": 1}, "i4"),
                "opaque bytes": h5py.opaque_dtype(np.dtype("V4")),
            }.items():
                yield Attack(f"HDF5: {name} of {what}", self.with_array(name, shape=shape, dtype=dtype))
            yield Attack(f"HDF5: {name} null", self.with_array(name, data=h5py.Empty("f4")))
            yield Attack(f"HDF5: {name} huge", self.with_array(name, shape=(2**40,), dtype="f4"))
            huge = {"shape": (2**40,), "dtype": "f4", "chunks": (2**16,), "compression": "gzip"}
            yield Attack(f"HDF5: {name} huge in chunks", self.with_array(name, **huge))
        external = h5py.ExternalLink(other, "/vars")
        yield Attack("HDF5: vars in another file", self.with_hdf5(replaced("vars", external)))
        yield Attack("HDF5: vars a soft link", self.with_hdf5(replaced("vars", h5py.SoftLink("/"))))
        yield Attack("HDF5: vars its own root", self.with_hdf5(hard_link("vars", "/")))
        yield Attack("HDF5: no vars", self.with_hdf5(lambda file: file.move("vars", "variables")))
        for name in ("optimizer", "metrics", "layers", "_layer_checkpoint_dependencies", "all_pairs"):
            yield Attack(f"HDF5: {name} in another file", self.with_hdf5(replaced(name, external)))
            yield Attack(f"HDF5: {name} beside", self.with_hdf5(lambda file, name=name: file.create_group(name)), KERAS)
        yield Attack("HDF5: 9,000 names for one array", self.with_hdf5(crowd(9000)))
        yield Attack("HDF5: 2,000 names for one array", self.with_hdf5(crowd(2000)))
        weights = self.members()[WEIGHTS]
        for part in (0, 0.01, 0.3, 0.9):
            yield Attack(f"HDF5: cut at {part}", self.with_members(weights=weights[: int(part * len(weights))]))
        for place in (8, 16, 24, 40, 48, 64, 72, 80, 120, 136):
            broken = weights[:place] + b"\xff" * 8 + weights[place + 8 :]
            yield Attack(f"HDF5: no address at {place}", self.with_members(weights=broken), BOTH)

    def _numbers(self) -> Iterator[Attack]:
        for name, shape in (
            (BIAS, (4,)),
            (KERNEL, (64, 4)),
            (SCALE, ()),
            ("head.bias", ()),
            ("tower.00.kernel", (3, 3, 1, 8)),
        ):
            for value in (np.nan, np.inf, -np.inf, 1e38, -1e38, 3e19):
                yield Attack(f"numbers: {name} {value}", self.with_array(name, data=np.full(shape, value, np.float32)))
            yield Attack(f"numbers: no {name}", self.with_hdf5(lambda file, name=name: file["vars"].pop(name) and None))
            for other in ((5,), (4, 1), (1,), (0,), (), (64, 4, 1)):
                if other != shape:
                    yield Attack(f"numbers: {name} {other}", self.with_array(name, data=np.ones(other, np.float32)))
        for value in (0.0, -0.0, -1.0, -1e-30):
            yield Attack(f"numbers: a scale of {value}", self.with_array(SCALE, data=np.float32(value)))
        for name in ("extra", "tower.03.kernel", "head.00.kernel", "x" * 9000, "\x1b[31m", "tower.02.bias.1"):
            change = {name: np.zeros(1, np.float32)}
            content = self.with_hdf5(lambda file, change=change: file["vars"].update(change))
            yield Attack(f"numbers: one more {name!r:.20}", content)


class Call:
    """Unpickles as the result of a call."""

    def __init__(self, function: Callable, *arguments: object):
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def lambda_code(marker: str) -> list:
    """As Keras 2 stores a function: marshaled bytecode in base64, defaults, closure."""
    import base64
    import marshal

    function = eval(f"lambda x: open({marker!r}, 'w').close() or x")
    return [base64.b64encode(marshal.dumps(function.__code__)).decode(), None, None]


def packed(
    *members: tuple[str, bytes], special: str = "", method: int = zipfile.ZIP_STORED, mode: int = 0o600
) -> bytes:
    """A zip, the member `special` of which has another method or mode."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile: duplicate name
        for name, content in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # as it is: the constructor would cut it at a null character
            info.external_attr = (mode if name == special else 0o600) << 16
            archive.writestr(info, content, method if name == special else zipfile.ZIP_STORED)
    return out.getvalue()


def saved(save: Callable, *arrays: np.ndarray, **named: np.ndarray) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


def replaced(name: str, link: object) -> Callable[[h5py.File], None]:
    """A link under a name, or a group where it is None."""

    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if link is None:
            file.create_group(name)
        else:
            file[name] = link

    return change


def hard_link(name: str, target: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        group = file[target]
        del file[name]
        file[name] = group

    return change


def virtual(name: str, path: str, source: str, shape: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(path, f"/vars/{source}", shape)
        del file["vars"][name]
        file["vars"].create_virtual_dataset(name, layout)

    return change


def crowd(count: int) -> Callable[[h5py.File], None]:
    """Many names for one small array."""

    def change(file: h5py.File) -> None:
        array = file["vars"][BIAS]
        for number in range(count):
            file["vars"][f"n{number}"] = array

    return change
