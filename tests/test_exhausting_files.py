"""Files of up to 50 MB that are made to cost time or memory: each is refused early, with less than 300 MB.

Each kind is measured in a process of its own, from when TensorFlow is there and a small model has been loaded; the
memory is the highest so far, so that no file may need more. Machines differ: the unit of processor time is what the
csv module takes to read a million short rows: 0.094 s where the bound of 2 s was set, so that it is 21 units.
"""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from attack_corpus import BIAS, CONFIG, WEIGHTS, packed, saved
from tensorflow import keras

from siamese_tf.errors import ModelFileError
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.pretrained.import_facenet import import_facenet
from siamese_tf.models.pretrained.import_imagenet import import_imagenet
from siamese_tf.models.siamese_model import SiameseModel

MAX_UNITS, MAX_BYTES = 21.0, 300 * 2**20
PROGRAM = r"""
import collections, csv, io, re, sys, time
from siamese_tf.errors import SiameseError
good, kind = sys.argv[1:]
if kind == "list":
    from siamese_tf.data.images.format import NATIVE_FORMAT
    from siamese_tf.data.pairs.pair_lists import load_pair_dataset
    load = lambda path: load_pair_dataset(path, NATIVE_FORMAT)
else:
    from siamese_tf.models.model_file import load_model as load
    model = load(good)
if kind == "score":
    from siamese_tf.inference.score_csv import score_csv
    load = lambda path: score_csv(model, path, io.StringIO())
elif kind == "facenet":
    from siamese_tf.models.pretrained.import_facenet import import_facenet as load
elif kind == "imagenet":
    from siamese_tf.models.pretrained.import_imagenet import import_imagenet
    from siamese_tf.models.towers.imagenet import mobilenet_v2
    tower = mobilenet_v2((32, 32, 3), 8)
    load = lambda path: import_imagenet(tower, path)

def peak():  # in bytes; what getrusage answers includes the parent's
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1])

def unit():
    rows = io.StringIO("a,b,1\n" * 1_000_000)
    start = time.process_time()
    collections.deque(csv.reader(rows), maxlen=0)
    return time.process_time() - start

memory = peak()
before = unit()
for line in sys.stdin:
    start = time.process_time()  # no others' time: the tests of the other stack may run beside it
    try:
        load(line.rstrip("\n"))
        print("loaded", 0, 0, 0, flush=True)
    except SiameseError as error:
        seconds, after = time.process_time() - start, unit()
        print("refused", seconds, seconds / max(before, after), peak() - memory, flush=True)
        before = after
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "good.keras"
    save_model(SiameseModel((8, 8, 1), "reference", 4), path)
    return path


class Good:
    def __init__(self, path: Path):
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}

    def with_config(self, text: bytes) -> bytes:
        return packed(*{**self.members, CONFIG: text}.items())

    def with_values(self, weights: bytes = b"", **values: object) -> bytes:
        outer = json.loads(self.members[CONFIG])
        outer["config"] |= values
        members = {**self.members, CONFIG: json.dumps(outer).encode()}
        return packed(*{**members, WEIGHTS: weights or members[WEIGHTS]}.items())

    def with_names(self, count: int, group: str = "vars") -> bytes:
        return self.with_values(names(count, self.members[WEIGHTS], group))


def names(count: int, weights: bytes, group: str = "vars") -> bytes:
    """An HDF5 file with many names for one array."""
    out = io.BytesIO(weights)
    with h5py.File(out, "r+") as file:
        array, where = file["vars"][BIAS], file.require_group(group)
        for number in range(count):
            where[f"n{number}"] = array
    return out.getvalue()


def many_groups(count: int) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for number in range(count):
            file.create_group(f"layer{number}")
    return out.getvalue()


def directory(size: int) -> bytes:
    """The directory of a zip that lists members until it has so many bytes."""
    single = packed(("a" * 20, b""))
    entry = single[single.index(b"PK\x01\x02") : -22]
    count = size // len(entry)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count % 2**16, count % 2**16, count * len(entry), 66, 0)
    return single[:66] + count * entry + end


def pixels(count: int) -> bytes:
    """An HDF5 file of one large array, with the names of a model around it."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["vars/tower.00.kernel"] = np.zeros(count, np.float32)
    return out.getvalue()


def cases(good: Good) -> dict[str, tuple[str, str, bytes]]:
    """Name -> how it is loaded, the ending of its name, its content."""
    record = json.dumps({"config": 0}).encode()
    wide = b"[" + b"[]," * 340_000 + b"[]]"
    towers = ("inception_resnet_v1", "mobilenet_v2", "resnet50", "koch", "tnn", "reference", "hog")
    models = {
        "2,000 names in HDF5": good.with_names(2_000),
        "20,000 names in HDF5": good.with_names(20_000),
        "200,000 names in HDF5": good.with_names(200_000),
        "200,000 names at the root": good.with_names(200_000, "/"),
        "44 MB of zip directory": directory(44_000_000),
        "44 MB of zip directory, after a model": good.path.read_bytes()[:4] + directory(44_000_000)[4:],
        "1 MB of empty lists": good.with_config(wide),
        "1 MB of empty lists as a record": good.with_values(record={"a": json.loads(wide)}),
        "4 MB of brackets": good.with_config(b"[" * 2_000_000 + b"]" * 2_000_000),
        "4 MB of digits": good.with_config(b"1" * 4_000_000),
        "4 MB of text": good.with_config(record + b" " * 4_000_000),
        "48 MB of weights": good.with_values(pixels(12_000_000)),
        "48 MB of weights for koch": good.with_values(pixels(12_000_000), tower="koch", input_size=[2048, 2048, 3]),
        "a bomb": packed(
            *{**good.members, WEIGHTS: bytes(2**28)}.items(), special=WEIGHTS, method=zipfile.ZIP_DEFLATED
        ),
        **{f"{tower} of 2048x2048": good.with_values(tower=tower, input_size=[2048, 2048, 3]) for tower in towers},
        **{f"{tower} of 160x160": good.with_values(tower=tower, input_size=[160, 160, 3]) for tower in towers},
    }
    header = b"img1,img2,similarity\n"
    distinct = b"".join(b"%x,%x.,1\n" % (number, number) for number in range(3_000_000))
    similar, dissimilar = b"A 1 2\n", b"A 1 B 2\n"
    lists = {
        "8 million rows and a bad one": ("csv", header + b"a,b,1\n" * 8_000_000 + b"a,b,2\n"),
        "5 million rows in quotes and a bad one": ("csv", header + b'"a",b,1\n' * 5_300_000 + b"a,b,2\n"),
        "3 million rows of 6 million images and a bad one": ("csv", header + distinct + b"a,b,2\n"),
        "48 million empty lines": ("csv", header + b"\n" * 48_000_000),
        "24 million lines of a space": ("csv", header + b" \n" * 24_000_000),
        "7 million pairs of LFW and a bad one": (
            "txt",
            b"4 850000\n" + (similar * 850_000 + dissimilar * 850_000) * 4 + b"A 1 2\n",
        ),
        "6 million pairs of LFW in small folds, and one less": (
            "txt",
            (b"999999 3\n" + (similar * 3 + dissimilar * 3) * 999_999)[: -len(dissimilar)],
        ),
        "48 million empty lines in LFW's form": ("txt", b"1 1\n" + b"\n" * 48_000_000),
    }
    zeros = {f"a{number}": np.zeros(2**24, np.float32) for number in range(7)}
    return {
        **{name: ("model", "keras", content) for name, content in models.items()},
        **{name: ("list", *case) for name, case in lists.items()},
        **{f"{name}, to score": ("score", *case) for name, case in lists.items() if case[0] == "csv"},
        "a state_dict of 7 GB of zeros": ("facenet", "npz", saved(np.savez_compressed, **zeros)),
        "a state_dict of 48 MB": ("facenet", "npz", saved(np.savez, a=np.zeros(12_000_000, np.float32))),
        "a state_dict of 11 bytes": ("facenet", "safetensors", b"\x02" + bytes(7) + b"{}"),
        "44 MB of zip directory as a state_dict": ("facenet", "npz", directory(44_000_000)),
        "a state_dict of 65,000 arrays": (
            "facenet",
            "npz",
            packed(*((f"a{number}.npy", saved(np.save, np.zeros(1))) for number in range(65_000))),
        ),
        "1 MB of JSON brackets": (
            "facenet",
            "safetensors",
            (10**6).to_bytes(8, "little") + b"[" * 500_000 + b"]" * 500_000,
        ),
        "ImageNet weights with 200,000 names": ("imagenet", "h5", names(200_000, good.members[WEIGHTS])),
        "ImageNet weights with 60,000 groups": ("imagenet", "h5", many_groups(60_000)),
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_they_are_refused_before_they_cost_much(good, tmp_path):
    lines, bad, processes = [], [], {}
    for name, (kind, ending, content) in cases(Good(good)).items():
        assert len(content) < 50 * 10**6, name
        path = tmp_path / f"a.{ending}"
        path.write_bytes(content)
        if kind not in processes:
            command = [sys.executable, "-c", PROGRAM, str(good), kind]
            processes[kind] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2):  # again if other work disturbed the first measurement
            print(path, file=processes[kind].stdin, flush=True)
            outcome, *numbers = processes[kind].stdout.readline().split() or ["crashed", "0", "0", "0"]
            seconds, units, size = map(float, numbers)
            if units <= MAX_UNITS:
                break
        cost = f"{seconds:.2f} s, {units:.1f} units, {size / 2**20:.0f} MB"
        lines.append(f"{name:45} {len(content):>12,} bytes: {outcome} {cost}")
        if outcome != "refused" or units > MAX_UNITS or size > MAX_BYTES:
            bad.append(lines[-1])
    for process in processes.values():
        process.communicate()
    print("\n".join(lines))
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("name", ["a.keras", "a.npz", "a.safetensors", "a.pt", "a.h5"])
@pytest.mark.parametrize("path", ["a pipe", "a null character", "a folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, name, path):
    where = tmp_path / name
    if path == "a pipe":
        os.mkfifo(where)
    elif path == "a folder":
        where.mkdir()
    else:
        where = tmp_path / f"a\0b.{name}"
    loaders = {".keras": load_model, ".h5": lambda path: import_imagenet(imagenet_tower(), path)}
    with pytest.raises(ModelFileError, match="Not a regular file|null character|Is a directory") as caught:
        loaders.get(Path(name).suffix, import_facenet)(where)
    assert "\0" not in str(caught.value)


def imagenet_tower() -> keras.Model:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="mobilenet_v2")
