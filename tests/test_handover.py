"""What leaves the house: model cards, ONNX, DICOM-SEG and repositories, from the command line."""
import json
import shutil

import numpy as np
import pytest

from chexseg.__main__ import main, parser
from chexseg.cards import model_card
from chexseg.core import read_json
from chexseg.dataset import write_phantom
from chexseg.films import read_film
from chexseg.inference import load_segmenter
from chexseg.masks import MaskSet
from chexseg.pipeline import run_pipeline
from chexseg.runs import Run

TASKS = ["Cardiomegaly", "Pleural Effusion"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A short run with two segmenters, on one of which the classifier votes."
    folder = tmp_path_factory.mktemp("handover")
    films = write_phantom(folder/"phantom", train=24, val=40, test=12, side=64, seed=3, workers=1)
    return run_pipeline(films, out=folder/"run", tasks=TASKS, side=64, methods=["full", "full+vote"], workers=0,
                        classifier_epochs=1, segmenter_steps=10, segmenter_bs=8, bootstraps=50)


def said(capsys, *argv):
    "Exit status, what was printed, and the sentences on the error stream."
    status = main([str(a) for a in argv])
    out, err = capsys.readouterr()
    return status, out, [line for line in err.splitlines() if line.startswith("chexseg:")]


@pytest.mark.parametrize("command", ["cards", "push", "pull", "export", "predict"])
def test_commands_have_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args([command, "--help"])
    assert stop.value.code == 0 and "usage:" in capsys.readouterr().out


# Cards ---------------------------------------------------------------------------------------------------------------

def cards(run): return {f.name: f.read_text() for f in (run/"segmenters").glob("*.card.*")}


def test_a_run_leaves_a_card_beside_each_segmenter(run):
    assert set(cards(run)) == {f"{m}.card.{kind}" for m in ("full", "full+vote") for kind in ("json", "md")}
    card = json.loads(cards(run)["full+vote.card.json"])
    assert card["segmenter"]["vote"] and card["segmenter"]["sha256"] and card == model_card(run, "full+vote")
    table = run.results("either").set_index(["method", "task"])["mean"]
    assert card["scores"]["either"]["mIoU"]["mean"] == pytest.approx(table["full+vote", "mIoU"], abs=1e-4)
    assert card["segmenter"]["thresholds"] == read_json(run/"segmenters/full+vote.json")["thresholds"]


def test_cards_name_no_film_no_patient_and_no_folder(run):
    names = {*run.table.id, *run.table.patient, *run.table.path, str(run.folder), run.choices.study.data}
    text = "".join(cards(run).values())
    assert [n for n in names if str(n) in text] == []


def test_cards_can_be_written_again(run, tmp_path, capsys):
    copy = Run(shutil.copytree(run.folder, tmp_path/"run"))
    (copy/"segmenters/full.card.json").write_text("{}") # of an earlier version
    assert said(capsys, "cards", copy.folder)[0] == 0
    assert cards(copy) == cards(run) and copy.damaged() == {}
    assert said(capsys, "cards", tmp_path/"nowhere")[0] == 1


# ONNX ----------------------------------------------------------------------------------------------------------------

def test_export_onnx(run, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    import torch
    out = tmp_path/"voted.onnx"
    assert said(capsys, "export", run.folder, "onnx", out, "--method", "full+vote")[0] == 0
    net = onnxruntime.InferenceSession(out)
    known = {k: json.loads(v) for k, v in net.get_modelmeta().custom_metadata_map.items()}
    model = load_segmenter(run/"segmenters/full+vote").cpu()
    assert (known["tasks"], known["side"], known["cutoffs"]) == (TASKS, 64, model.config["cutoffs"])
    assert known["card"]["method"] == "full+vote"
    part = run.part("test")
    x = np.stack([read_film(p, 64) for p in part.paths[:3]])[:, None].astype(np.float32)/255
    probs, scores = net.run(None, {"films": x})
    with torch.no_grad():
        wanted = model(torch.from_numpy(x)).sigmoid()
        assert np.abs(probs - wanted.numpy()).max() < 1e-4
        assert np.abs(scores - model.score(torch.from_numpy(x), wanted).numpy()).max() < 1e-4
    status, _, sentences = said(capsys, "export", run.folder, "onnx", out)
    assert status == 1 and "exists" in sentences[-1]
    assert said(capsys, "export", run.folder, "onnx", out, "--overwrite", "--tasks", "Edema")[0] == 1


def test_export_onnx_says_what_is_missing(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("chexseg.onnx.find_spec", lambda name: None)
    status, _, sentences = said(capsys, "export", run.folder, "onnx", tmp_path/"x.onnx")
    assert status == 1 and 'pip install "chexseg[onnx]"' in sentences[-1] and not list(tmp_path.iterdir())


# DICOM-SEG -----------------------------------------------------------------------------------------------------------

def write_film(path, greys, **tags):
    "A DICOM film of 8 bits with a patient's name."
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (generate_uid() for _ in range(3))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID = "Doe^Jane", "secret4711"
    ds.Rows, ds.Columns = greys.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.SamplesPerPixel, ds.PixelRepresentation = 8, 8, 7, 1, 0
    ds.PhotometricInterpretation, ds.PixelData = "MONOCHROME2", greys.tobytes()
    for key, value in tags.items():
        setattr(ds, key, value)
    ds.save_as(path, enforce_file_format=True)


@pytest.fixture
def films(run, tmp_path):
    "A folder with two DICOM films, one of them inverted, and a JPEG."
    folder = tmp_path/"films"
    folder.mkdir()
    part = run.part("test")
    grey = part.film(0)[:, 6:-6]
    write_film(folder/"plain.dcm", grey)
    write_film(folder/"inverted.dcm", 255 - grey, PhotometricInterpretation="MONOCHROME1")
    shutil.copy(part.paths[1], folder/"picture.jpg")
    return folder


def test_predict_writes_dicom_seg(run, films, tmp_path, capsys):
    pytest.importorskip("highdicom")
    from chexseg.dicom_seg import read_dicom_seg
    model, out = ("--model", run.folder, "--method", "full"), tmp_path/"out"
    command = ("predict", films, *model, "--out", out, "--write", "dicom-seg")
    status, out, sentences = said(capsys, *command, "json", "csv")
    assert status == 3 and "picture.jpg is not DICOM" in " ".join(sentences) and "2 DICOM-SEG" in out
    masks = MaskSet.read(tmp_path/"out/segmentations.json", TASKS)
    assert sorted(f.name for f in (tmp_path/"out/dicom-seg").iterdir()) == ["inverted.dcm", "plain.dcm"]
    for name in ("inverted", "plain"):
        seg = read_dicom_seg(tmp_path/f"out/dicom-seg/{name}.dcm")
        assert seg.tasks == TASKS and (seg.masks == masks[name]).all()
    told = out + " ".join(sentences) + (tmp_path/"out/films.csv").read_text()
    assert "secret4711" not in told and "Doe" not in told
    status, _, sentences = said(capsys, *command)
    assert status == 1 and "holds files" in sentences[-1]
    assert said(capsys, *command, "--overwrite")[0] == 3


def test_dicom_seg_never_takes_the_place_of_a_film(run, films, tmp_path, capsys):
    pytest.importorskip("highdicom")
    folder = tmp_path/"out/dicom-seg"
    folder.mkdir(parents=True)
    shutil.copy(films/"plain.dcm", folder/"plain.dcm")
    before = (folder/"plain.dcm").read_bytes()
    status, _, sentences = said(capsys, "predict", folder/"plain.dcm", "--model", run.folder, "--out", tmp_path/"out",
                                "--write", "dicom-seg", "--overwrite")
    assert status == 3 and "would be written over" in " ".join(sentences)
    assert (folder/"plain.dcm").read_bytes() == before


def test_predict_without_highdicom_says_so_before_any_work(run, films, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    status, _, sentences = said(capsys, "predict", films, "--model", run.folder, "--out", tmp_path/"out", "--write",
                                "dicom-seg", "json")
    assert status == 1 and 'pip install "chexseg[dicomseg]"' in sentences[-1] and not (tmp_path/"out").exists()


# The Hub -------------------------------------------------------------------------------------------------------------

@pytest.fixture
def hub(tmp_path, monkeypatch):
    "A folder in the place of the Hub."
    class Local:
        made = {}

        def create_repo(self, repo_id, private=None, exist_ok=False):
            self.made[repo_id] = private

        def upload_folder(self, repo_id, folder_path, commit_message=None):
            shutil.copytree(folder_path, tmp_path/"hub"/repo_id, dirs_exist_ok=True)

        def snapshot_download(self, repo_id, revision=None, local_dir=None, allow_patterns=None):
            for f in (tmp_path/"hub"/repo_id).iterdir():
                shutil.copy(f, local_dir)

    monkeypatch.setattr("chexseg.hub._api", Local)
    return Local


def test_push_and_pull(run, hub, tmp_path, capsys):
    assert said(capsys, "push", run.folder, "ward7/chest", "--method", "full")[0] == 0
    assert hub.made == {"ward7/chest": True}
    (tmp_path/"hub/ward7/chest/evil.pkl").write_text("no numbers")
    assert said(capsys, "pull", "ward7/chest", tmp_path/"mine")[0] == 0
    names = ["README.md", "card.json", "segmenter.json", "segmenter.safetensors"]
    assert sorted(f.name for f in (tmp_path/"mine").iterdir()) == names
    text = "".join((tmp_path/"mine"/name).read_text() for name in names[:3])
    assert [n for n in (*run.table.id, *run.table.patient, str(run.folder)) if str(n) in text] == []
    film = run.part("test").paths[0]
    for k, model in enumerate((run/"segmenters/full", tmp_path/"mine/segmenter")):
        assert said(capsys, "predict", film, "--model", model, "--out", tmp_path/str(k), "--write", "json")[0] == 0
    assert (tmp_path/"0/segmentations.json").read_text() == (tmp_path/"1/segmentations.json").read_text()


def test_the_hub_answers_in_sentences(run, hub, tmp_path, capsys):
    for argv, words in ((("push", run.folder, "chest"), "USER/NAME"),
                        (("pull", "ward7/lost", tmp_path/"lost"), "could not be asked"),
                        (("push", tmp_path, "ward7/chest"), "is not a run folder")):
        status, _, sentences = said(capsys, *argv)
        assert status == 1 and words in sentences[-1]
    assert not (tmp_path/"lost").exists()
