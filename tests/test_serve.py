"""`chexseg serve` as a user has it: the command, its page in a headless Chromium, films dragged in, masks taken along.

Skipped where there is no browser, like tests/test_browser.py."""
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chexseg.core import TASKS
from chexseg.inference import save_segmenter
from chexseg.runs import story
from chexseg.segmentation import build_segmenter

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need `pip install 'chexseg[dev]'`")
pytest.importorskip("starlette", reason="needs `pip install 'chexseg[serve]'`")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHEXSEG_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="the browser tests need a browser: apt-get install chromium")
WAIT = 25_000 # milliseconds that anything may take
EVIL = "<img src=x onerror=alert(1)>.jpg"


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    "Two films, one under a name that tries to be HTML, and a letter that is no film."
    folder = tmp_path_factory.mktemp("films")
    first, second = map(Path, story().part("test").paths[:2])
    shutil.copy(first, folder/f"first{first.suffix}")
    shutil.copy(second, folder/EVIL)
    (folder/"letter.png").write_text("no film")
    return {f.stem: f for f in folder.iterdir()}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    "The command, with a segmenter that has learnt nothing; its address and the folder for temporary files."
    folder = tmp_path_factory.mktemp("server")
    model = build_segmenter("small", list(TASKS), 64).eval()
    model.config |= dict(thresholds=dict.fromkeys(TASKS, .01), cutoffs=dict.fromkeys(TASKS, 0.))
    save_segmenter(folder/"seg", model)
    (folder/"tmp").mkdir()
    command = [sys.executable, "-m", "chexseg", "serve", "--model", str(folder/"seg"), "--port", "0"]
    environment = os.environ | dict(TMPDIR=str(folder/"tmp"), CHEXSEG_PROGRESS="0")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout.readline() == "loading ...\n"
        yield re.match(r"http://127\.0\.0\.1:\d+", process.stdout.readline()).group(), folder/"tmp"
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == 0, said
    assert said == "", "something was written into the log"


@pytest.fixture
def page(server):
    "The page, which may load nothing from elsewhere, and on which no script of a stranger's may run."
    address, _ = server
    wrong = []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=dict(width=1100, height=800))
        own = (address, "data:", "blob:")
        page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(own) else None)
        page.on("dialog", lambda d: (wrong.append(d.message), d.dismiss()))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(address)
        yield page
        browser.close()
    assert wrong == []


def test_films_are_outlined_and_masks_taken_along(page, films, server):
    page.locator("#films").set_input_files([films["first"], films[Path(EVIL).stem]])
    articles = page.locator("article")
    articles.nth(1).locator("img").wait_for(timeout=WAIT)
    articles.nth(0).locator("img").wait_for(timeout=WAIT)
    assert EVIL in articles.nth(0).inner_text()
    assert page.locator("article img").first.evaluate("i => i.naturalWidth") > 100
    rows = articles.nth(1).locator("tr").all_inner_texts()
    assert len(rows) == 1 + len(TASKS)
    with page.expect_download() as download:
        articles.nth(1).locator("a").click()
    assert download.value.suggested_filename == "first-masks.zip"
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as z:
        assert {"overlays/film.png", "segmentations.json", "film.csv"} <= set(z.namelist())
        assert f"masks/{TASKS[1]}/film.png" in z.namelist()
    assert list(server[1].iterdir()) == [], "a film was kept"


def test_a_film_is_dropped(page, films):
    page.evaluate("""async name => {
        const data = new DataTransfer()
        data.items.add(new File([new Uint8Array([1, 2, 3])], name))
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}))
    }""", "torn.png")
    page.locator("article .wrong").wait_for(timeout=WAIT)
    assert "torn.png: The film cannot be read as a film" in page.locator("article").inner_text()


def test_a_letter_is_refused_and_the_film_after_it_outlined(page, films):
    page.locator("#films").set_input_files([films["letter"], films["first"]])
    page.locator("article img").wait_for(timeout=WAIT)
    assert "letter.png: The film cannot be read as a film" in page.locator("article .wrong").inner_text()


def test_another_page_cannot_send_a_film(page, server):
    elsewhere = page.context.browser.new_page()
    elsewhere.goto("data:text/html,<title>elsewhere</title>")
    send = "([address, mode]) => fetch(address, {method: 'POST', body: 'x', mode}).then(r => r.type, e => 'blocked')"
    assert [elsewhere.evaluate(send, [f"{server[0]}/film", mode]) for mode in ("cors", "no-cors")] == ["blocked"]*2
