"""What a film's header says of a person is nowhere in what the package writes."""
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from chexseg.dataset import write_phantom

from .commands import ENV, SECONDS, done

pydicom = pytest.importorskip("pydicom", reason="pip install 'chexseg[dicom]'")
PERSON = dict(PatientName="DOEWINTERS^JANETTE", PatientID="MRN9911882", PatientBirthDate="19470311",
              AccessionNumber="ACC5550123", InstitutionName="Mercy Hospital", StudyDate="20110403",
              ReferringPhysicianName="HOUSEMANN^GREGORY", PatientAddress="12 Elm Street",
              DeviceSerialNumber="SN774411")
WORDS = [w for value in PERSON.values() for w in value.split("^")]


def as_dicom(path):
    "Put the pixels of a film into a DICOM file of the same name, with a person's data in its header."
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian
    x = np.asarray(Image.open(path).convert("L"))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0"*128)
    ds.Rows, ds.Columns = x.shape
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = x.tobytes() + b"\0"*(x.size % 2)
    for name, value in PERSON.items():
        setattr(ds, name, value)
    ds.save_as(path, enforce_file_format=True)


def as_jpeg(path):
    "Write a person's data into a JPEG's header."
    exif = Image.Exif()
    exif[0x010E] = " ".join(PERSON.values()) # the image's description
    Image.open(path).convert("L").save(path, "JPEG", exif=exif, comment=" ".join(WORDS).encode())


def everything(folder):
    "The bytes of every file, those inside of archives too."
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        yield str(path), data
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{path}:{n}", archive.read(n)) for n in archive.namelist())


def test_no_name_in_what_is_written(tmp_path):
    data = write_phantom(tmp_path/"data", 30, 24, 10, side=64, seed=4)
    films = sorted(data.rglob("*.jpg"))
    assert len(films) == 64
    for k, film in enumerate(films):
        (as_dicom if k % 2 else as_jpeg)(film)
    assert all(b"DOEWINTERS" in film.read_bytes() for film in films)
    short = ("--side 64 --experts 8 --classifier-epochs 1 --segmenter-steps 2 --methods full ours --bootstraps 10 "
             "--workers 0 --cache kept --out run").split()
    said = done(tmp_path, ["run", "data", *short])
    said += done(tmp_path, ["predict", *films[:4], "--model", "run", "--out", "found"])
    for name, content in [("the terminal", said.encode()), *everything(tmp_path/"run"), *everything(tmp_path/"found"),
                          *everything(tmp_path/"kept")]:
        found = [w for w in WORDS if w.encode() in content or w.encode("utf-16-le") in content]
        assert found == [], f"{name} holds {found}"


OFFLINE = """
import runpy, socket, sys
def refuse(*where, **_):
    raise SystemExit(f"the package wanted to reach {where}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
sys.argv = ["chexseg", *sys.argv[1:]]
runpy.run_module("chexseg", run_name="__main__")
"""


def test_nothing_is_sent_or_fetched(tmp_path):
    "A whole run, with every way to a network blocked."
    short = ("run --films 24 20 8 --side 64 --experts 6 --classifier-epochs 1 --segmenter-steps 2 --irnet-steps 2 "
             "--preset table --bootstraps 10 --workers 0 --out run").split()
    run = subprocess.run([sys.executable, "-c", OFFLINE, *short], cwd=tmp_path, env=os.environ | ENV, timeout=SECONDS,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    page = (tmp_path/"run"/"report.html").read_text()
    assert "src=\"http" not in page and "href=\"http" not in page.replace('href="https://github.com', "")
