"""Open data: downloads that break and go on, archives that are not to be trusted, and two sets in one folder without a
film on both sides. Stand-ins have the files of the real sets; real films are read with CHEXSEG_TEST_DATA."""
import errno
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chexseg import downloads
from chexseg.__main__ import main
from chexseg.check import check_data
from chexseg.core import ChexsegError
from chexseg.data import assign_roles, open_study
from chexseg.downloads import OPEN_SETS, OpenSet, Source, check_address, download, fetch, told_size, unpack
from chexseg.formats import CHESTX_DET, CHESTX_DET_JSON
from chexseg.masks import MaskSet
from chexseg.open_data import (JOINED, LUNGS, NIH_LABELS, arrange, arrange_chestx_det, read_nih, stand_in_chestx_det,
                               stand_in_lungs, stand_in_nih, stand_in_siim)
from chexseg.screening import matches, screen_films

REAL = Path(os.environ.get("CHEXSEG_TEST_DATA") or "nowhere")
DATA = bytes(k*k % 251 for k in range(300_000))


# A server with its moods ---------------------------------------------------------------------------------------------

class Shop(BaseHTTPRequestHandler):
    "The first part of a path says how the server behaves."
    def log_message(self, *args): pass

    def moved(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.end_headers()

    def do_GET(self):
        server = self.server
        mood, _, name = self.path[1:].partition("/")
        server.asked.append((mood, self.headers.get("Range")))
        if mood == "moved":
            return self.moved(f"/good/{name}")
        if mood == "astray":
            return self.moved("http://example.org/a")
        if mood == "busy" and len(server.asked) < 3:
            return self.send_error(503)
        if name not in server.files:
            return self.send_error(404)
        data = server.files[name]
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        asked, same = self.headers.get("Range"), self.headers.get("If-Range") in (None, tag)
        start = int(asked[6:-1]) if asked and same and mood != "deaf" else 0
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        if mood != "tagless":
            self.send_header("ETag", tag)
        self.end_headers()
        rest = data[start:]
        breaks = mood in ("weak", "tagless") and len(rest) > len(data)//3
        self.wfile.write(rest[:len(rest)//2] if breaks else rest)


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.files, server.asked = {"a.bin": DATA}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def sha(data): return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize("mood", ["good", "weak", "deaf", "moved", "busy", "tagless"])
def test_a_file_arrives_whole_whatever_the_server_does(shop, tmp_path, mood):
    path = fetch(Source("a.bin", f"{shop.url}/{mood}/a.bin", 0, sha(DATA)), tmp_path)
    assert path.read_bytes() == DATA
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.bin", "downloads.json"]


def test_a_break_costs_no_byte_twice(shop, tmp_path):
    fetch(Source("a.bin", f"{shop.url}/weak/a.bin"), tmp_path)
    assert [asked for _, asked in shop.asked] == [None, "bytes=150000-", "bytes=225000-"]


def test_a_download_goes_on_in_another_process(shop, tmp_path):
    (tmp_path/"a.bin.part").write_bytes(DATA[:1000])
    note = dict(url=f"{shop.url}/good/a.bin", tag=f'"{hashlib.md5(DATA).hexdigest()}"', size=len(DATA))
    (tmp_path/"a.bin.part.json").write_text(json.dumps(note))
    assert fetch(Source("a.bin", note["url"], 0, sha(DATA)), tmp_path).read_bytes() == DATA
    assert shop.asked == [("good", "bytes=1000-")]


@pytest.mark.parametrize("change", [b"longer"*60_000, DATA[::-1]])
def test_a_file_that_changes_meanwhile_is_fetched_anew(shop, tmp_path, change):
    (tmp_path/"a.bin.part").write_bytes(DATA[:1000])
    note = dict(url=f"{shop.url}/good/a.bin", tag=f'"{hashlib.md5(DATA).hexdigest()}"', size=len(DATA))
    (tmp_path/"a.bin.part.json").write_text(json.dumps(note))
    shop.files["a.bin"] = change
    assert fetch(Source("a.bin", note["url"], 0, sha(change)), tmp_path).read_bytes() == change


def test_a_wrong_checksum_leaves_nothing_behind(shop, tmp_path):
    with pytest.raises(ChexsegError, match="has the checksum sha256:.*, not the published one, sha256:000"):
        fetch(Source("a.bin", f"{shop.url}/good/a.bin", 0, "sha256:" + "0"*64), tmp_path)
    assert not [f for f in tmp_path.iterdir() if f.name in ("a.bin", "a.bin.part")]


def test_a_file_without_a_published_checksum_is_compared_with_the_first_time(shop, tmp_path):
    source = Source("a.bin", f"{shop.url}/good/a.bin")
    fetch(source, tmp_path).unlink()
    assert fetch(source, tmp_path).read_bytes() == DATA
    (tmp_path/"a.bin").unlink()
    shop.files["a.bin"] = DATA[:-1] + b"x"
    with pytest.raises(ChexsegError, match="not that of the first time"):
        fetch(source, tmp_path)


@pytest.mark.parametrize("url, words", [("{}/good/none.bin", "404"), ("{}/astray/a.bin", "not an address of https"),
                                        ("http://example.org/a.bin", "not an address of https"),
                                        ("ftp://127.0.0.1/a.bin", "not an address of https")])
def test_what_cannot_be_fetched_is_one_sentence(shop, tmp_path, url, words):
    with pytest.raises(ChexsegError, match=words) as told:
        fetch(Source("a.bin", url.format(shop.url)), tmp_path)
    assert "\n" not in str(told.value)


def test_without_a_network_it_says_so_after_some_tries(shop, tmp_path):
    with pytest.raises(ChexsegError, match="is there a network"):
        fetch(Source("a.bin", "http://127.0.0.1:9/a.bin"), tmp_path, tries=2)
    assert told_size("http://127.0.0.1:9/a.bin") == 0


def test_a_full_disk_is_said_before_the_first_byte_and_when_it_fills(shop, tmp_path, monkeypatch):
    source = Source("a.bin", f"{shop.url}/good/a.bin")
    with monkeypatch.context() as m:
        m.setattr(downloads.shutil, "disk_usage", lambda p: type("", (), dict(free=1000)))
        with pytest.raises(ChexsegError, match="has room for 1 kB, and a.bin takes 300 kB"):
            fetch(source, tmp_path)
    def full(answer): raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(downloads, "_read_some", full)
    with pytest.raises(ChexsegError, match="No space left on device"):
        fetch(source, tmp_path)


def test_all_addresses_of_the_table_are_https_or_for_a_browser():
    for name, chosen in OPEN_SETS.items():
        assert chosen.licence and chosen.page.startswith("https://") and chosen.cite and chosen.told
        for source in chosen.files:
            assert source.by_hand or check_address(source.url).startswith("https://")
            assert not source.by_hand or source.checksum, f"{name}: {source.name} could not be checked"


# Archives ------------------------------------------------------------------------------------------------------------

def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def tarred(path, *members):
    with tarfile.open(path, "w:gz") as t:
        for member in members:
            t.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name, kind=tarfile.REGTYPE, size=0, to=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, to
    return info


@pytest.mark.parametrize("name", ["../a.png", "/tmp/a.png", "x/../../a.png", "..\\a.png", "C:/a.png"])
def test_a_path_out_of_the_folder_is_refused(tmp_path, name):
    for archive in (zipped(tmp_path/"a.zip", {name: b"1"}), tarred(tmp_path/"a.tar.gz", member(name))):
        with pytest.raises(ChexsegError, match="leads out of its folder"):
            unpack(archive, tmp_path/"in"/"folder")
    assert {f.name for f in tmp_path.rglob("*") if f.is_file()} == {"a.zip", "a.tar.gz"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with pytest.raises(ChexsegError, match="a link or a device"):
        unpack(tarred(tmp_path/"a.tar.gz", member("a.png", kind, to="/etc/passwd")), tmp_path/"in")


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    zipped(tmp_path/"a.zip", {info: b"/etc/passwd"})
    with pytest.raises(ChexsegError, match="a link or a device"):
        unpack(tmp_path/"a.zip", tmp_path/"in")


def test_bombs_are_refused_and_leave_nothing(tmp_path):
    for archive in (zipped(tmp_path/"a.zip", {"a.png": bytes(40_000_000)}),
                    tarred(tmp_path/"a.tar.gz", member("a.png", size=40_000_000))):
        assert archive.stat().st_size < 100_000
        with pytest.raises(ChexsegError, match="unpacks to more than"):
            unpack(archive, tmp_path/"in")
    assert not list((tmp_path/"in").rglob("*.png"))


@pytest.mark.parametrize("cut", [30, 200])
def test_a_damaged_archive_is_one_sentence(tmp_path, cut):
    for name, archive in (("b.zip", zipped(tmp_path/"a.zip", {"a.png": os.urandom(5000)})),
                          ("b.tar.gz", tarred(tmp_path/"a.tar.gz", member("a.png", size=500_000)))):
        (tmp_path/name).write_bytes(archive.read_bytes()[:cut])
        with pytest.raises(ChexsegError, match="cannot be unpacked|holds no film"):
            unpack(tmp_path/name, tmp_path/"in")


# A whole set ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def two(shop, tmp_path, monkeypatch):
    packed = {"images/a.png": os.urandom(90_000), "readme.pdf": b"1"}
    shop.files["films.zip"] = zipped(tmp_path/"films.zip", packed).read_bytes()
    shop.files["labels.csv"] = b"Path\n"
    files = (Source("labels.csv", f"{shop.url}/good/labels.csv"),
             Source("films.zip", f"{shop.url}/weak/films.zip", 0, sha(shop.files["films.zip"]), 1))
    monkeypatch.setitem(OPEN_SETS, "two", OpenSet("films", 1, "none", "https://x", "nobody", "here", files))
    return shop


def test_a_set_is_fetched_once_and_its_archive_removed(two, tmp_path, capsys):
    assert len(download("two", tmp_path/"two", yes=True)) == 2
    assert "licence   none" in capsys.readouterr().out
    files = sorted(f.name for f in (tmp_path/"two").rglob("*") if f.is_file())
    assert files == ["a.png", "downloads.json", "labels.csv"]
    n = len(two.asked)
    assert download("two", tmp_path/"two") == [] and len(two.asked) == n


def test_terms_come_first(two, tmp_path):
    for answer in ("", "no"):
        with pytest.raises(ChexsegError, match="were not agreed to, so nothing was fetched"):
            download("two", tmp_path/"two", ask=lambda question: answer)
    def gone(question): raise EOFError
    with pytest.raises(ChexsegError, match="--yes"):
        download("two", tmp_path/"two", ask=gone)
    assert not (tmp_path/"two").exists()


def test_what_a_browser_must_fetch_is_asked_for_before_anything_is_fetched(tmp_path):
    with pytest.raises(ChexsegError, match="offered over plain http only"):
        download("chestx-det", tmp_path, yes=True)
    assert not list(tmp_path.iterdir())


# Two sets in one folder ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    root = tmp_path_factory.mktemp("open")
    stand_in_chestx_det(root/"det", train=24, test=12, shared=4)
    stand_in_nih(root/"nih", films=40)
    return root


def test_names_are_those_of_both_sets():
    assert set(JOINED) <= set(NIH_LABELS) and set(JOINED.values()) <= set(CHESTX_DET)
    assert set(NIH_LABELS) - set(JOINED) == {"Edema", "Hernia", "Infiltration", "Pneumonia"}
    assert set(CHESTX_DET) - set(JOINED.values()) == {"Calcification", "Diffuse Nodule", "Fracture"}


def test_nobody_is_on_both_sides(pair):
    said = arrange_chestx_det(pair/"det", pair/"nih", outlined=24, workers=0)
    assert any("8 outlined films are among NIH's: 16 of 40 weak films" in s for s in said)
    table = pd.read_csv(pair/"det"/"labels.csv", dtype={"Patient": str})
    assert (table.Split == "train").sum() == 24
    whose = {f"{p:08}" for p in range(1, 9)}
    assert not set(table.Patient[table.Split == "train"]) & whose
    assert set(table.Patient[table.Split != "train"].dropna()) == whose
    study = assign_roles(open_study(pair/"det"), experts=6)
    assert len(study.part("test")) == 12 and not check_data(pair/"det", workers=0).stops


@pytest.mark.parametrize("change", ["as it is", "brightened"])
def test_a_run_on_a_film_of_both_sides_is_refused(pair, change, capsys, tmp_path):
    arrange_chestx_det(pair/"det", pair/"nih", outlined=24, workers=0)
    table = pd.read_csv(pair/"det"/"labels.csv", dtype={"Patient": str})
    film = np.asarray(Image.open(pair/"nih"/"images"/"00000002_000.png"))
    film = film if change == "as it is" else np.uint8(255*(film/255)**.6)
    Image.fromarray(film).save(pair/"det"/"extra.png")
    extra = table[table.Split == "train"].head(1).assign(Path="extra.png", Patient="99999999")
    pd.concat([table, extra]).to_csv(pair/"det"/"labels.csv", index=False)
    command = f"run {pair/'det'} --out {tmp_path/'run'} --side 32 --experts 6 --until prepare --workers 0"
    for more in ("", " --bad-films skip"):
        assert main((command + more).split()) == 1
    assert "extra of train shows the same film as" in " ".join(capsys.readouterr().out.split())
    (pair/"det"/"extra.png").unlink()
    table.to_csv(pair/"det"/"labels.csv", index=False)


def test_without_nih_the_other_films_are_the_weak_side(pair):
    said = arrange_chestx_det(pair/"det", outlined=14)
    table = pd.read_csv(pair/"det"/"labels.csv")
    assert table.Split.value_counts().to_dict() == dict(train=10, val=14, test=12)
    assert any("weak labels are made from outlines" in s for s in said)
    outlines = {s: CHESTX_DET_JSON.read(pair/"det"/f"ChestX_Det_{s}.json").masks for s in ("train", "test")}
    for row in table.itertuples():
        masks = outlines["test" if row.Split == "test" else "train"]
        shown = dict(zip(masks.tasks, masks.positive(Path(row.Path).stem)))
        assert all(getattr(row, t) == shown[t] for t in shown if t in table)
    weak = {Path(p).stem for p in table.Path[table.Split == "train"]}
    assert not set(MaskSet.read(pair/"det"/"masks.json").ids) & weak


def test_a_folder_may_be_moved_with_its_films(pair, tmp_path):
    arrange_chestx_det(pair/"det", pair/"nih", outlined=24, workers=0)
    (tmp_path/"moved").mkdir()
    for name in ("det", "nih"):
        (pair/name).rename(tmp_path/"moved"/name)
    try:
        assert len(open_study(tmp_path/"moved"/"det").part("test")) == 12
    finally:
        for name in ("det", "nih"):
            (tmp_path/"moved"/name).rename(pair/name)


@pytest.mark.parametrize("name", ["montgomery", "shenzhen"])
def test_lungs_lie_where_their_names_say(tmp_path, name):
    stand_in_lungs(tmp_path, name, films=6)
    arrange(name, tmp_path)
    masks = open_study(tmp_path).experts
    assert masks.tasks == LUNGS
    for i in masks.ids:
        left, right = (np.argwhere(m)[:, 1].mean() for m in masks[i])
        assert left > right # the left lung is on the right of the picture


def test_left_and_right_are_told_by_the_picture(tmp_path):
    stand_in_lungs(tmp_path, films=6)
    manual = tmp_path/"MontgomerySet"/"ManualMask"
    (manual/"leftMask").rename(manual/"x")
    (manual/"rightMask").rename(manual/"leftMask")
    (manual/"x").rename(manual/"rightMask")
    arrange("montgomery", tmp_path)
    masks = open_study(tmp_path).experts
    left, right = (np.argwhere(m)[:, 1].mean() for m in masks[masks.ids[0]])
    assert left > right


def test_siim_is_arranged_and_one_command_does_it(tmp_path, capsys):
    stand_in_siim(tmp_path, films=20)
    assert main(["open", "siim", str(tmp_path), "--outlined", "4"]) == 0
    assert "chexseg run" in capsys.readouterr().out
    assert open_study(tmp_path).tasks == ["Pneumothorax"]
    assert main(["open", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name}: " in listed for name in OPEN_SETS)
    assert main(["open", "nih"]) == 1
    assert "see which there are with --list" in capsys.readouterr().err


# Real films ----------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(not (REAL/"chestx-det").exists(), reason="needs chestx-det in CHEXSEG_TEST_DATA")
def test_the_real_outlines_are_the_published_ones():
    for source in OPEN_SETS["chestx-det"].files[:2]:
        file = REAL/"chestx-det"/source.name
        assert downloads.weighed(file, "sha256") == source.checksum and file.stat().st_size == source.size
        films = json.loads(file.read_text())
        assert {t for f in films for t in f["syms"]} == set(CHESTX_DET)
        archive = next(f for f in OPEN_SETS["chestx-det"].files if f.name.startswith(file.stem.rsplit("_")[-1]))
        assert len({f["file_name"] for f in films}) == archive.films == len(films)


NIH_REAL = REAL/"nih-pneumonia-1000"
nih_films = pytest.mark.skipif(not NIH_REAL.exists(), reason="needs nih-pneumonia-1000 in CHEXSEG_TEST_DATA")


@nih_films
def test_real_labels_of_nih_are_read(tmp_path):
    told = pd.read_csv(NIH_REAL/"labels.csv")
    table = pd.DataFrame({"Image Index": told.image.map(lambda p: Path(p).name), "Finding Labels": told.finding_labels,
                          "Patient ID": told.patient_id, "Patient Age": told.age, "Patient Sex": told.sex,
                          "View Position": told.view})
    table.to_csv(tmp_path/"Data_Entry_2017_v2020.csv", index=False)
    (tmp_path/"images").mkdir()
    for file in (NIH_REAL/"images").iterdir():
        (tmp_path/"images"/file.name).symlink_to(file)
    found = read_nih(tmp_path, {n: n for n in NIH_LABELS})
    assert len(found) == 1000 and found.Patient.nunique() == told.patient_id.nunique()
    assert (found[NIH_LABELS].to_numpy() == told[NIH_LABELS].to_numpy()).all()


WAYS = { # what is done to a film, and how many of 1,000 are found again, as the chapter on bad films says
    "PNG": (lambda i: i, "png", {}, 1000),
    "twice the size": (lambda i: i.resize((1024, 1024), Image.Resampling.BICUBIC), "jpg", dict(quality=75), 1000),
    "a quarter of the size": (lambda i: i.resize((128, 128), Image.Resampling.BILINEAR), "jpg", dict(quality=30), 1000),
    "brightened": (lambda i: i.point([int(255*(k/255)**.6) for k in range(256)]), "png", {}, 1000),
    "cut by 1%": (lambda i: i.crop((5, 5, 507, 507)), "png", {}, 972),
    "cut by 3%": (lambda i: i.crop((15, 15, 497, 497)), "png", {}, 140),
}


@nih_films
@pytest.mark.parametrize("way", WAYS)
def test_real_films_that_were_saved_anew_are_found(way, tmp_path):
    change, ending, how, wanted = WAYS[way]
    files = sorted((NIH_REAL/"images").glob("*.jpg"))
    for file in files:
        how = how or dict(compress_level=1)
        change(Image.open(file).convert("L")).save(tmp_path/f"{file.stem}.{ending}", **how)
    tables = [pd.DataFrame(dict(id=[f.stem for f in some], path=list(map(str, some))))
              for some in (files, sorted(tmp_path.iterdir()))]
    pairs = matches(*(screen_films(t, workers=0, text=0) for t in tables))
    assert (pairs.a == pairs.b).sum() == wanted
    false = {tuple(sorted(p)) for p in pairs[pairs.a != pairs.b][["a", "b"]].itertuples(index=False)}
    assert len(false) <= 1 # one film has two numbers in the set
