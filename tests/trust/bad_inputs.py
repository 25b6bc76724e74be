"""Bad inputs by the hundred: each makes a file, and names the function that shall refuse it in one sentence.

A case is (group, name, make, read): `make(folder)` writes something bad and gives its path, `read(path)` must raise a
`ChexsegError`. `tests/trust/test_bad_inputs.py` runs them all and counts."""

import io
import json
import pickle
import struct
import zlib
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from chexseg.choices import make_choices, options
from chexseg.core import read_json
from chexseg.data import open_study
from chexseg.films import film_size, read_film
from chexseg.inference import load_segmenter, save_segmenter
from chexseg.maps import SaliencySet, read_map_pickle
from chexseg.masks import MaskSet, encode
from chexseg.outlines import annotations_to_masks, read_annotations
from chexseg.runs import FORMAT, Run
from chexseg.segmentation import build_segmenter

ID = "patient00001_study1_view1_frontal"
TASK = "Edema"


class Case(NamedTuple):
    "One bad input."

    group: str
    name: str
    make: object  # function of a folder that writes the input and gives its path
    read: object  # function of the path that must refuse it
    says: str = ""  # what the sentence must name; the file when empty


def text_file(name, text):
    "Write a text; surrogates become bytes that are no UTF-8."

    def make(folder):
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
        return path

    return make


def json_file(content):
    "Write anything as JSON, NaN and Infinity included."
    return text_file("file.json", content if isinstance(content, (str, bytes)) else json.dumps(content))


# ---- broken JSON, whatever it was to hold

DEEP = "[" * 100_000 + "]" * 100_000
BROKEN_JSON = {
    "empty": "",
    "spaces": "   \n",
    "one brace": "{",
    "cut off": '{"a": {"Edema": {"size": [4, 4], "coun',
    "no quotes": "{a: 1}",
    "a comment": "{} // masks",
    "two documents": "{}{}",
    "latin-1": b'{"caf\xe9": 1}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "zeros": b"\0" * 64,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 32,
    "html": "<html><body>404</body></html>",
    "csv": "Path,Edema\na.jpg,1\n",
    "very deep": DEEP,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "python": "{'a': 1}",
    "trailing comma": '{"a": 1,}',
    "control character": '{"a": "\x01"}',
    "half a number": '{"a": 1e}',
    "gzip": zlib.compress(b"{}"),
}


# ---- masks

GOOD = encode(np.eye(8, dtype=np.uint8))


def masks_with(**changes):
    "One film whose mask has something wrong."
    return {ID: {TASK: GOOD | changes}}


def runs(*lengths):
    "Run lengths as COCO stores them, right or wrong."
    out = []
    for k, n in enumerate(lengths):
        x = n - lengths[k - 2] if k > 2 else n
        more = True
        while more:
            c = x & 31
            x >>= 5
            more = x != -1 if c & 16 else x != 0
            out.append(chr(c + 32 * more + 48))
    return "".join(out)


BAD_MASKS = {
    "a list": [],
    "a number": 3,
    "text": '"masks"',
    "null": "null",
    "film is a list": {ID: []},
    "film is null": {ID: None},
    "film is text": {ID: "mask"},
    "task is null": {ID: {TASK: None}},
    "task is a list": {ID: {TASK: [1, 2]}},
    "task is text": {ID: {TASK: "6"}},
    "no size": {ID: {TASK: {"counts": GOOD["counts"]}}},
    "no counts": {ID: {TASK: {"size": [8, 8]}}},
    "size of one": masks_with(size=[8]),
    "size of three": masks_with(size=[8, 8, 1]),
    "size 0": masks_with(size=[0, 8]),
    "negative size": masks_with(size=[-8, 8]),
    "size of text": masks_with(size=["8", "8"]),
    "half a pixel": masks_with(size=[8.5, 8]),
    "size null": masks_with(size=None),
    "size NaN": masks_with(size=[float("nan"), 8]),
    "size too large": masks_with(size=[9, 9]),
    "size too small": masks_with(size=[7, 7]),
    "turned size": masks_with(size=[4, 16.0]),
    "an enormous size": masks_with(size=[100_000, 100_000], counts=runs(100_000 * 100_000)),
    "a size beyond 64 bits": masks_with(size=[2**40, 2**40]),
    "counts as numbers": masks_with(counts=[64]),
    "counts null": masks_with(counts=None),
    "counts empty": masks_with(counts=""),
    "counts cut": masks_with(counts=GOOD["counts"][:-2]),
    "counts of other letters": masks_with(counts="ääääää"),
    "counts of zeros": masks_with(counts="0" * 9),
    "counts with a space": masks_with(counts=GOOD["counts"] + " "),
    "counts doubled": masks_with(counts=GOOD["counts"] * 2),
    "a negative run": masks_with(counts=runs(50, -10, 24)),
    "a negative first run": masks_with(counts=runs(-1, 65)),
    "a run beyond the film": masks_with(counts=runs(0, 65)),
    "a run of 2**40": masks_with(counts=runs(2**40)),
    "runs that cancel": masks_with(counts=runs(2**31, -(2**31) + 64)),
    "counts that do not end": masks_with(counts="o" * 20),
    "outlines instead": {ID: {"img_size": [8, 8], TASK: [[[1, 1], [2, 2], [3, 1]]]}},
    "second film bad": {"a": {TASK: GOOD}, ID: {TASK: GOOD | {"size": [9, 8]}}},
    "boolean size": masks_with(size=[True, 64]),
}


# ---- outlines

SQUARE = [[1, 1], [6, 1], [6, 6], [1, 6]]


def outline_with(points=None, size=(8, 8), **more):
    "One film whose outline has something wrong."
    return {ID: {"img_size": list(size) if isinstance(size, tuple) else size, TASK: [points or SQUARE], **more}}


BAD_OUTLINES = {
    "a list": [],
    "a number": 3,
    "film null": {ID: None},
    "film a list": {ID: [SQUARE]},
    "no size": {ID: {TASK: [SQUARE]}},
    "size null": outline_with(size=None),
    "size of one": outline_with(size=[8]),
    "size 0": outline_with(size=[0, 8]),
    "size negative": outline_with(size=[-3, 8]),
    "size of text": outline_with(size=["8", "8"]),
    "size 2.5": outline_with(size=[2.5, 8]),
    "size enormous": outline_with(size=[100_000, 100_000]),
    "size NaN": outline_with(size=[float("nan"), 8]),
    "outlines null": {ID: {"img_size": [8, 8], TASK: None}},
    "outlines a number": {ID: {"img_size": [8, 8], TASK: 7}},
    "outlines text": {ID: {"img_size": [8, 8], TASK: "1 1 2 2"}},
    "one level too few": {ID: {"img_size": [8, 8], TASK: SQUARE}},
    "one level too many": {ID: {"img_size": [8, 8], TASK: [[SQUARE]]}},
    "an empty outline": {ID: {"img_size": [8, 8], TASK: [[]]}},
    "point of one": outline_with([[1], [2, 2], [3, 1]]),
    "point of three": outline_with([[1, 1, 1], [2, 2, 2], [3, 1, 1]]),
    "point of text": outline_with([["1", "1"], [2, 2], [3, 1]]),
    "point null": outline_with([None, [2, 2], [3, 1]]),
    "NaN": outline_with([[float("nan"), 1], [2, 2], [3, 1]]),
    "infinite": outline_with([[1, 1], [float("inf"), 2], [3, 1]]),
    "minus infinite": outline_with([[1, 1], [2, float("-inf")], [3, 1]]),
    "1e300": outline_with([[1, 1], [1e300, 2], [3, 1]]),
    "far away": outline_with([[1, 1], [10**9, 2], [3, 1]]),
    "far below": outline_with([[1, 1], [2, -(10**9)], [3, 1]]),
    "a million points": outline_with([[k % 8, (k * 7) % 8] for k in range(1_000_000)]),
    "run lengths instead": {ID: {TASK: GOOD}},
    "points as objects": outline_with([{"x": 1, "y": 1}, {"x": 2, "y": 2}]),
    "beyond any integer": outline_with([[10**400, 1], [2, 2]]),
}


# ---- films


def film_bytes(kind, size=(48, 40), mode="L", **how):
    "A small film in a format."
    x = (np.arange(size[0] * size[1]).reshape(size) % 251).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(x).convert(mode).save(out, kind, **how)
    return out.getvalue()


def png_of(width, height):
    "The head of a PNG that says it is as large as this, and a little data."

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


JPEG, PNG = film_bytes("JPEG"), film_bytes("PNG")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 48\n%%EndComments\n0 0 moveto showpage\n%%EOF\n"
BAD_FILMS = {
    "empty.png": b"",
    "empty.jpg": b"",
    "text.jpg": b"not a film",
    "zeros.png": b"\0" * 500,
    "half.jpg": JPEG[: len(JPEG) // 2],
    "half.png": PNG[: len(PNG) // 2],
    "head.png": PNG[:8],
    "head.jpg": JPEG[:20],
    "tail_cut.png": PNG[:-30],
    "script.eps": EPS,
    "renamed_script.png": EPS,
    "page.html": b"<html></html>",
    "archive.jpg": b"PK\3\4" + b"\0" * 60,
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "document.pdf": b"%PDF-1.4\n%%EOF",
    "moving.gif": film_bytes("GIF"),
    "icon.ico": film_bytes("ICO"),
    "fax.pcx": film_bytes("PCX"),
    "texture.dds": film_bytes("DDS", mode="RGB"),
    "plain.ppm": film_bytes("PPM"),
    "silicon.sgi": film_bytes("SGI"),
    "targa.tga": film_bytes("TGA"),
    "huge.png": png_of(100_000, 100_000),
    "wide.png": png_of(2_000_000_000, 1),
    "bomb.png": png_of(30_000, 30_000),
    "no_width.png": png_of(0, 40),
    "renamed_gif.png": film_bytes("GIF"),
    "palm.palm": b"\0\x10" * 40,
    "photoshop.psd": b"8BPS\0\1" + b"\0" * 30,
    "renamed.dcm": PNG,
    "text.dcm": b"not a film",
    "empty.dcm": b"",
    "zeros.dcm": b"\0" * 300,
    "magic_only.dcm": b"\0" * 128 + b"DICM",
    "noise.dcm": bytes(np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8)),
}


def damaged(data, n, seed):
    "Films with a stretch of zeros somewhere in their first half."
    g = np.random.default_rng(seed)
    out = bytearray(data)
    at = int(g.integers(2, len(out) // 2))
    out[at : at + n] = bytes(n)
    return bytes(out)


def dicom_with(**changes):
    "A DICOM film of 16 bits in which something is wrong; None deletes an element."

    def make(folder):
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        path = folder / "film.dcm"
        ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        given = dict(
            Rows=48,
            Columns=40,
            BitsAllocated=16,
            BitsStored=12,
            HighBit=11,
            PixelRepresentation=0,
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            PixelData=np.arange(48 * 40, dtype=np.uint16).tobytes(),
        )
        for name, value in (given | changes).items():
            if value is not None:
                setattr(ds, name, value)
        ds.save_as(path, enforce_file_format=True)
        return path

    return make


BAD_DICOM = {
    "no pixels": dict(PixelData=None),
    "no rows": dict(Rows=None),
    "no columns": dict(Columns=None),
    "rows 0": dict(Rows=0),
    "too few pixels": dict(PixelData=b"\0" * 100),
    "pixels of one row": dict(PixelData=b"\0" * 80),
    "many rows": dict(Rows=60_000, Columns=60_000),
    "no bits": dict(BitsAllocated=None),
    "seven bits": dict(BitsAllocated=7),
    "no interpretation": dict(PhotometricInterpretation=None),
    "no representation": dict(PixelRepresentation=None),
    "no samples": dict(SamplesPerPixel=None),
    "ten frames": dict(NumberOfFrames=10),
    "two samples": dict(SamplesPerPixel=2),
    "samples 0": dict(SamplesPerPixel=0),
}


# ---- pickles of maps


class Evil:
    "What a pickle may do."

    def __init__(self, what, *args):
        self.what = (what, args)

    def __reduce__(self):
        return self.what


def greedy_pickle(key, count):
    "A tensor of four numbers that claims to have more."
    whole = pickle.dumps({key: torch.zeros(1, 1, 2, 2), "prob": 0.5, "cxr_dims": (2, 2)})
    four = struct.pack("<Q", 4) + bytes(16)
    assert whole.count(four) == 1
    return whole.replace(four, count + bytes(16))


def evil_pickles():
    "Pickles that want more than tensors, and some that are no pickles of maps."
    import builtins
    import os
    import subprocess

    bad = {
        "os.system": Evil(os.system, "true"),
        "eval": Evil(eval, "1"),
        "exec": Evil(exec, "1"),
        "open": Evil(open, "/dev/null"),
        "subprocess": Evil(subprocess.call, ["true"]),
        "getattr": Evil(getattr, "a", "upper"),
        "import": Evil(builtins.__import__, "os"),
        "in a map": {"map": Evil(os.getcwd), "cxr_dims": (1, 1)},
        "print": Evil(print, "seen"),
        "exit": Evil(os._exit, 3),
    }
    made = {name: pickle.dumps(what) for name, what in bad.items()}
    plain = {
        "a number": 3,
        "a list": [1],
        "no map": {"prob": 1},
        "map of text": {"map": "x", "cxr_dims": (1, 1)},
        "no size": {"map": [1.0]},
        "null": None,
        "a DataFrame": pd.DataFrame(dict(a=[1])),
    }
    made |= {name: pickle.dumps(what) for name, what in plain.items()}
    whole = pickle.dumps({"map": [1.0] * 100})
    bomb = b"\x80\x04" + b"\x8d" + struct.pack("<Q", 2**60) + b"x."
    return made | {
        "empty": b"",
        "text": b"not a pickle",
        "cut off": whole[: len(whole) // 2],
        "picture": PNG,
        "a length of 2**60": bomb,
        "a value numbered 2**28": b"\x80\x02Nr\xff\xff\xff\x0f.",
        "a tensor larger than its numbers": greedy_pickle("map", struct.pack("<Q", 2**36)),
        "zeros": b"\0" * 50,
    }


# ---- saliency folders


def maps_folder(spoil):
    "A folder of maps in which something is spoilt."

    def make(folder):
        n = 3
        sal = SaliencySet(
            np.zeros((n, 2, 4, 4), np.float16),
            np.zeros((n, 2), np.float32),
            np.zeros((n, 2), np.float32),
            [(8, 8)] * n,
            ["a", "b", "c"],
            ["Edema", "Atelectasis"],
            8,
        )
        sal.save(folder / "maps")
        spoil(folder / "maps")
        return folder / "maps"

    return make


def shard_of(folder):
    return sorted(folder.glob("*.safetensors"))[0]


def rewritten(change):
    "A spoiler that changes the index."

    def spoil(folder):
        index = json.loads((folder / "index.json").read_text())
        change(index)
        (folder / "index.json").write_text(json.dumps(index))

    return spoil


def bytes_changed(f):
    "A spoiler that changes the bytes of the first shard."

    def spoil(folder):
        path = shard_of(folder)
        path.write_bytes(f(path.read_bytes()))

    return spoil


BAD_MAPS = {
    "no index": lambda d: (d / "index.json").unlink(),
    "no shard": lambda d: shard_of(d).unlink(),
    "index empty": lambda d: (d / "index.json").write_text(""),
    "index a list": lambda d: (d / "index.json").write_text("[]"),
    "shard empty": bytes_changed(lambda b: b""),
    "shard cut": bytes_changed(lambda b: b[:-10]),
    "shard of text": bytes_changed(lambda b: b"maps"),
    "head beyond the file": bytes_changed(lambda b: struct.pack("<Q", 2**60) + b[8:]),
    "shard longer": bytes_changed(lambda b: b + b"\0" * 9),
    "no tasks": rewritten(lambda i: i.pop("tasks")),
    "fewer tasks": rewritten(lambda i: i.update(tasks=["Edema"])),
    "no side": rewritten(lambda i: i.pop("side")),
    "tasks a number": rewritten(lambda i: i.update(tasks=3)),
}


# ---- options of a run, and the file that keeps them

WRONG_KIND = {
    int: ["12", 1.5, None, True, [3], float("nan")],
    float: ["a", None, True, [0.1], float("nan"), float("inf")],
    bool: [1, "yes", None],
    str: [3, None, ["a"]],
    tuple: [3, None, [None], {"a": 1}],
}
ODD_OPTIONS = [
    dict(sides=96),
    dict(Side=96),
    dict(films=(1, 2)),
    dict(films=(1, 2, 3, 4)),
    dict(films=(-1, 2, 3)),
    dict(methods=()),
    dict(methods=("fulll",)),
    dict(methods=("full+vote",)),
    dict(methods=("ours+vote", "full")),
    dict(views="side"),
    dict(tune_on="test"),
    dict(uncertain="U-Maybe"),
    dict(blank="positive"),
    dict(threshold="0.5"),
    dict(segmenter_decoder="unet"),
    dict(segmenter_weights="mine"),
    dict(classifier_schedule="cosine"),
    dict(irnet_trunk="vgg"),
    dict(segmenter_checkpoint="first"),
    dict(classifier_observations="none"),
]


def bad_options():
    "One option each."
    yield from ODD_OPTIONS
    for name, option in options().items():
        for value in WRONG_KIND[type(option.default)]:
            if not (name == "data" and value is None):
                yield {name: value}
        if option.least is not None:
            too_small = option.least - 1
            yield {name: (too_small,) * 3 if isinstance(option.default, tuple) else type(option.default)(too_small)}


def config_with(change):
    "The config.json of a run folder, with something changed."

    def make(folder):
        kept = dict(format=FORMAT, choices=asdict(make_choices()))
        kept = change(kept) or kept
        (folder / "config.json").write_text(json.dumps(kept))
        return folder

    return make


BAD_CONFIGS = {
    "a list": lambda c: [1],
    "text": lambda c: "run",
    "no choices": lambda c: c.pop("choices") and None,
    "choices a list": lambda c: c.update(choices=[]),
    "choices null": lambda c: c.update(choices=None),
    "a group missing": lambda c: c["choices"].pop("masks") and None,
    "a group a number": lambda c: c["choices"].update(masks=3),
    "an option missing": lambda c: c["choices"]["study"].pop("side") and None,
    "an option more": lambda c: c["choices"]["study"].update(colour="grey"),
    "a group more": lambda c: c["choices"].update(colours={}),
    "format of the future": lambda c: c.update(format=99),
    "format text": lambda c: c.update(format="three"),
    "format missing": lambda c: c.pop("format") and None,
    "side text": lambda c: c["choices"]["study"].update(side="<script>"),
    "side negative": lambda c: c["choices"]["study"].update(side=-96),
    "method unknown": lambda c: c["choices"]["run"].update(methods=["<b>full</b>"]),
    "films of two": lambda c: c["choices"]["study"].update(films=[1, 2]),
    "rate infinite": lambda c: c["choices"]["segmenter"].update(lr=float("inf")),
}


# ---- label files

HEAD = "Path,Edema,Atelectasis\n"
ROWS = "".join(f"train/patient0000{k}/study1/view1_frontal.jpg,{k % 2},{(k + 1) % 2}\n" for k in range(1, 5))


def labels_file(text, films=4):
    "A data folder with a label file and its films."

    def make(folder):
        for k in range(1, films + 1):
            path = folder / f"train/patient0000{k}/study1/view1_frontal.jpg"
            path.parent.mkdir(parents=True)
            path.write_bytes(JPEG)
        (folder / "train.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return make


def with_row(row):
    return HEAD + ROWS + row + "\n"


FILM = "train/patient00001/study1/view1_frontal.jpg"
BAD_LABELS = {
    "empty": "",
    "a newline": "\n",
    "only a head": HEAD,
    "no Path": "File,Edema\na.jpg,1\n",
    "no labels": "Path\n" + FILM + "\n",
    "other columns only": "Path,Name,Age\n" + FILM + ",A,50\n",
    "zeros": b"\0" * 200,
    "a picture": PNG,
    "utf-16": (HEAD + ROWS).encode("utf-16"),
    "latin-1": HEAD.encode() + b"train/caf\xe9.jpg,1,0\n",
    "excel": b"PK\3\4" + b"\0" * 80,
    "an open quote": HEAD + '"' + ROWS,
    "more fields than columns": HEAD + ROWS + FILM + ",1,0,1,0,1\n",
    "pipes": (HEAD + ROWS).replace(",", "|"),
    "label 2": with_row(FILM.replace("1/study1", "9/study1") + ",2,0"),
    "label yes": HEAD + FILM + ",yes,no\n",
    "label .5": HEAD + FILM + ",0.5,0\n",
    "label infinite": HEAD + FILM + ",inf,0\n",
    "label 1e400": HEAD + FILM + ",1e400,0\n",
    "label -2": HEAD + FILM + ",-2,0\n",
    "label a formula": HEAD + FILM + ",=1+1,0\n",
    "a film twice": with_row(FILM + ",1,0"),
    "a film not there": with_row("train/patient00009/study1/view1_frontal.jpg,1,0"),
    "an empty path": with_row(",1,0"),
    "a number as path": HEAD + "17,1,0\n",
    "a folder as path": HEAD + "train/patient00001,1,0\n",
    "html": "<html><body>404</body></html>",
    "json": '{"Path": 1}',
    "columns twice": "Path,Edema,Edema\n" + FILM + ",1,0\n",
}


# ---- checkpoints


def checkpoint_with(spoil):
    "A saved segmenter in which something is spoilt."

    def make(folder):
        save_segmenter(folder / "net", build_segmenter("small", ["Edema"], 64))
        spoil(folder / "net.json", folder / "net.safetensors")
        return folder / "net"

    return make


def in_config(change):
    "A spoiler that changes the config."

    def spoil(about, weights):
        config = json.loads(about.read_text())
        config = change(config) or config
        about.write_text(json.dumps(config))

    return spoil


BAD_CHECKPOINTS = {
    "no config": lambda a, w: a.unlink(),
    "no weights": lambda a, w: w.unlink(),
    "config empty": lambda a, w: a.write_text(""),
    "weights empty": lambda a, w: w.write_bytes(b""),
    "weights cut": lambda a, w: w.write_bytes(w.read_bytes()[:-100]),
    "weights of text": lambda a, w: w.write_text("weights"),
    "weights a pickle": lambda a, w: w.write_bytes(pickle.dumps({"a": 1})),
    "head beyond the file": lambda a, w: w.write_bytes(struct.pack("<Q", 2**60) + w.read_bytes()[8:]),
    "config a list": in_config(lambda c: [c]),
    "config a number": in_config(lambda c: 3),
    "config null": lambda a, w: a.write_text("null"),
    "no kind": in_config(lambda c: c.pop("kind") and None),
    "another kind": in_config(lambda c: c.update(kind="irnet")),
    "no tasks": in_config(lambda c: c.pop("tasks") and None),
    "tasks a number": in_config(lambda c: c.update(tasks=1)),
    "two tasks": in_config(lambda c: c.update(tasks=["Edema", "Atelectasis"])),
    "no side": in_config(lambda c: c.pop("side") and None),
    "side text": in_config(lambda c: c.update(side="64")),
    "side enormous": in_config(lambda c: c.update(side=10**9)),
    "encoder unknown": in_config(lambda c: c.update(encoder="vgg99")),
    "encoder another": in_config(lambda c: c.update(encoder="resnet18")),
    "encoder code": in_config(lambda c: c.update(encoder="__import__('os')")),
    "decoder unknown": in_config(lambda c: c.update(decoder="unet")),
    "decoder null": in_config(lambda c: c.update(decoder=None)),
    "thresholds a list": in_config(lambda c: c.update(thresholds=[0.5])),
    "no thresholds": in_config(lambda c: c.pop("thresholds") and None),
    "threshold text": in_config(lambda c: c["thresholds"].update(Edema="x")),
    "no cutoffs": in_config(lambda c: c.pop("cutoffs") and None),
    "cutoff null": in_config(lambda c: c["cutoffs"].update(Edema=None)),
    "voter a number": in_config(lambda c: c.update(voter=3)),
    "voter empty": in_config(lambda c: c.update(voter={"arch": "small"})),
}


def cases():
    "Every case."
    for name, text in BAD_LABELS.items():
        says = "" if name in ("a number as path", "a folder as path") else "train.csv" # the folder is looked through
        yield Case("labels", name, labels_file(text), lambda p: open_study(p).part().labels, says)
    for name, spoil in BAD_CHECKPOINTS.items():
        yield Case("checkpoints", name, checkpoint_with(spoil), load_segmenter)
    for changes in bad_options():
        name, value = next(iter(changes.items()))
        says = "method" if name == "methods" else name if name in options() else "option"
        yield Case("options", f"{name}={value!r}", lambda d: d, lambda p, c=changes: make_choices(**c), says)
    for name, change in BAD_CONFIGS.items():
        yield Case("run folders", name, config_with(change), Run, "config.json")
    for name, text in BROKEN_JSON.items():
        yield Case(
            "run folders",
            f"config {name}",
            lambda d, t=text: text_file("config.json", t)(d).parent,
            Run,
            "config.json",
        )
    for name, text in BROKEN_JSON.items():
        yield Case("JSON", name, json_file(text), read_json)
        yield Case("masks", f"JSON {name}", json_file(text), MaskSet.read)
    yield Case("JSON", "a folder", lambda d: d, read_json)
    yield Case("JSON", "not there", lambda d: d / "none.json", read_json)
    for name, content in BAD_MASKS.items():
        yield Case("masks", name, json_file(content), MaskSet.read)
    for name, content in BAD_OUTLINES.items():
        yield Case("outlines", name, json_file(content), lambda p: annotations_to_masks(read_annotations(p)))
    for name, data in BAD_FILMS.items():
        yield Case("films", name, text_file(name, data), read_film)
        yield Case("films", f"{name}, in a square", text_file(name, data), lambda p: read_film(p, 32))
    for name in (
        "huge.png",
        "wide.png",
        "script.eps",
        "text.jpg",
        "empty.png",
        "text.dcm",
        "empty.dcm",
        "moving.gif",
    ):
        yield Case("films", f"{name}, its size", text_file(name, BAD_FILMS[name]), film_size)
    yield Case("films", "a folder", lambda d: d, read_film)
    yield Case("films", "not there", lambda d: d / "none.png", read_film)
    for k in range(20):
        yield Case("films", f"PNG with zeros, {k}", text_file("film.png", damaged(PNG, 40, k)), read_film)
    for name, changes in BAD_DICOM.items():
        yield Case("DICOM", name, dicom_with(**changes), read_film)
    for name, data in evil_pickles().items():
        yield Case("pickles", name, text_file("x_map.pkl", data), read_map_pickle)
    for name, spoil in BAD_MAPS.items():
        yield Case("maps", name, maps_folder(spoil), SaliencySet.load)
