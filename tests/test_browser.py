"""The explorers in a real JupyterLab, seen by a headless Chromium: sliders, keys and outlines drawn with the mouse.

Skipped where there is no browser. To have them run: `apt-get install chromium`, or Google Chrome; CHEXSEG_CHROMIUM
names another browser.
CHEXSEG_SCREENSHOTS names a folder that keeps what was seen."""
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need `pip install 'chexseg[dev]'`")
pytest.importorskip("anywidget", reason="the browser tests need `pip install 'chexseg[lab]'`")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHEXSEG_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="the browser tests need a browser: apt-get install chromium")
LAB = Path(sys.executable).with_name("jupyter-lab")
SCREENSHOTS = os.environ.get("CHEXSEG_SCREENSHOTS")
WAIT = 25_000 # milliseconds that anything may take

CODE = {
    "saliency": """
from chexseg.explore import explore_saliency
from chexseg.runs import story
explorer = explore_saliency(story(), task="Pleural Effusion")
explorer
""",
    "cases": """
from chexseg.cases import explore_cases
from chexseg.runs import story
explore_cases(story())
""",
    "errors": """
from chexseg.cases import explore_errors
from chexseg.runs import story
explore_errors(story(), "bad outline", method="full")
""",
    "phantom": """
from chexseg.explore import explore_phantom
explore_phantom(2, ratio=.6, effusion=.7, edema=.6, devices=.8)
""",
    "training": """
import tempfile
from chexseg.classifier import load_classifier
from chexseg.data import open_study
from chexseg.dataset import write_phantom
from chexseg.recorder import recorded
from chexseg.runs import story
from chexseg.supervision import fit_segmenter
from chexseg.trainings import TrainingRecord, explore_training
tasks = ["Cardiomegaly", "Edema", "Pleural Effusion"]
study = open_study(write_phantom(tempfile.mkdtemp(), train=1, val=90, test=20, side=96, seed=4, workers=1), tasks)
outlined, test = study.part("valid"), study.part("test")
watched = test.subset([i for i in test.ids if test.masks.positive(i).sum() > 1][:4])
record = TrainingRecord()
explore_training(record)
""",
    "editor": """
from chexseg.editor import edit_outlines
from chexseg.runs import story
editor = edit_outlines(story().part("test"), "mine.json", sources=story().predictions())
editor
""",
    "pale": """
from pathlib import Path
import numpy as np
from PIL import Image
from chexseg.editor import edit_outlines
from chexseg.runs import story
Path("pale").mkdir(exist_ok=True)
for k, (low, high) in enumerate([(60, 130), (100, 220), (60, 130)]):
    film = low + (high - low)/255*story().part("test").film(k)
    Image.fromarray(film.astype(np.uint8)).save(f"pale/film{k}.png")
edit_outlines("pale", "pale.json")
""",
    "dark": """
from pathlib import Path
import numpy as np
from PIL import Image
from chexseg.editor import edit_outlines
from chexseg.runs import story
Path("dark").mkdir(exist_ok=True)
Image.fromarray((.4*story().part("test").film(0)).astype(np.uint8)).save("dark/film.png")
edit_outlines("dark", "dark.json")
""",
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(is_so, seconds=WAIT/1000):
    "What `is_so` gives, as soon as that is something."
    end = time.time() + seconds
    while not (found := is_so()):
        assert time.time() < end, "waited too long"
        time.sleep(.1)
    return found


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "A JupyterLab over a folder of notebooks; its address and the folder."
    folder = tmp_path_factory.mktemp("lab")
    for name, code in CODE.items():
        cells = [nbformat.v4.new_code_cell(code.strip())]
        kernel = dict(kernelspec=dict(name="python3", display_name="Python 3", language="python"))
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder/f"{name}.ipynb")
    news = folder/".config"/"lab"/"user-settings"/"@jupyterlab"/"apputils-extension"/"notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}') # otherwise JupyterLab asks, over what is to be seen
    port = free_port()
    settings = {f"JUPYTER_{kind}_DIR": str(folder/f".{kind.lower()}") for kind in ("CONFIG", "DATA", "RUNTIME")}
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token=",
               "--ServerApp.ip=127.0.0.1", "--LabApp.news_url=None",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder/"lab.log", "w") as log:
        process = subprocess.Popen([LAB, *options, str(folder)], stdout=log, stderr=log, env=os.environ | settings)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/api"))
        yield f"http://127.0.0.1:{port}", folder
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(lab, browser):
    "A function that opens a notebook, runs it, and gives the page; pages may load nothing from elsewhere."
    address, folder = lab
    for kept in folder.glob("mine*"): # nothing of what another test drew
        kept.unlink()
    context = browser.new_context(viewport=dict(width=1500, height=1150))
    elsewhere = []

    def open_notebook(name):
        page = context.new_page()
        page.on("request", lambda r: elsewhere.append(r.url) if foreign(r.url, address) else None)
        page.goto(f"{address}/lab/tree/{name}.ipynb?reset", wait_until="domcontentloaded")
        page.locator(".jp-Notebook").wait_for(timeout=WAIT)
        page.get_by_text("| Idle").first.wait_for(timeout=WAIT)
        run_cell(page)
        return page

    yield open_notebook
    for page in context.pages:
        keep(page, "last")
    context.close()
    assert elsewhere == []


def foreign(url, address):
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:", "about:"))


def run_cell(page):
    "Run the notebook's cell, and wait for its output."
    prompt = page.locator(".jp-Cell .jp-InputPrompt").first
    before = prompt.inner_text()
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    wait_until(lambda: re.search(r"\d", now := prompt.inner_text()) and now != before)


def pixels(locator):
    "What is seen of an element."
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), np.int16)


def keep(page, name, locator=None):
    "Keep a screenshot for the book, when somebody asks for it."
    if SCREENSHOTS:
        (locator or page).screenshot(path=Path(SCREENSHOTS)/f"{name}.png")


def set_slider(page, name, share):
    "Drag the handle of the slider with this name."
    slider = page.locator(".widget-slider", has=page.get_by_text(name, exact=True)).locator(".noUi-target").first
    box = slider.bounding_box()
    handle = slider.locator(".noUi-handle").bounding_box()
    page.mouse.move(handle["x"] + handle["width"]/2, handle["y"] + handle["height"]/2)
    page.mouse.down()
    page.mouse.move(box["x"] + share*box["width"], box["y"] + box["height"]/2, steps=8)
    page.mouse.up()


# Explorers -----------------------------------------------------------------------------------------------------------

def test_the_mask_follows_the_threshold(opened):
    page = opened("saliency")
    image = page.locator(".widget-image").first
    image.wait_for(timeout=WAIT)
    before = pixels(image)
    assert before.std() > 20, "the film is black"
    said = page.locator(".widget-html-content").first.inner_text()
    set_slider(page, "threshold", .8)
    wait_until(lambda: (pixels(image) != before).any())
    wait_until(lambda: page.locator(".widget-html-content").first.inner_text() != said)
    assert "probability" in said
    set_slider(page, "threshold", .45)
    page.wait_for_timeout(500)
    keep(page, "explore_saliency", page.locator(".jp-OutputArea-output").last)


def test_the_line_moves_between_two_outlines(opened):
    page = opened("cases")
    image = page.locator(".widget-image").nth(1)
    image.wait_for(timeout=WAIT)
    before = pixels(image)
    set_slider(page, "line", .2)
    wait_until(lambda: (pixels(image) != before).any())
    set_slider(page, "line", .5)
    page.wait_for_timeout(500)
    keep(page, "explore_cases", page.locator(".jp-OutputArea-output").last)


def test_another_kind_of_error_has_another_sentence(opened):
    page = opened("errors")
    text = page.locator(".widget-html-content").first
    text.wait_for(timeout=WAIT)
    said = text.inner_text()
    keep(page, "explore_errors", page.locator(".jp-OutputArea-output").last)
    page.locator("select").filter(has=page.locator("option", has_text="false alarm")).select_option("false alarm")
    wait_until(lambda: "False alarm" in text.inner_text() != said)


def test_the_chest_changes(opened):
    page = opened("phantom")
    image = page.locator(".widget-image").first
    image.wait_for(timeout=WAIT)
    before = pixels(image)
    set_slider(page, "pneumothorax", .8)
    wait_until(lambda: (pixels(image) != before).any())
    wait_until(lambda: "Pneumothorax" in page.locator(".widget-html-content").first.inner_text())
    page.wait_for_timeout(500)
    keep(page, "explore_phantom", page.locator(".jp-OutputArea-output").last)


TRAIN = """with recorded(watched, record, looks=20):
    fit_segmenter("full", outlined, side=96, weights=load_classifier(story()/"classifier"), steps=160, lr=5e-3, bs=8)"""


def test_a_training_is_seen_while_it_goes_on(opened):
    page = opened("training")
    text = page.locator(".widget-html-content").last
    text.wait_for(timeout=WAIT)
    assert "nothing is trained yet" in text.inner_text()
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.insert_text(TRAIN)
    page.keyboard.press("Shift+Enter")
    prompt = page.locator(".jp-Cell .jp-InputPrompt").nth(1)
    while_training = set()
    def watch():
        if not re.search(r"\d", prompt.inner_text()): # the cell is still at work
            while_training.add(re.search(r"step (\d+) of", text.inner_text())[1])
            return False
        return True
    wait_until(watch, 300)
    assert len(while_training) >= 4, while_training

    wait_until(lambda: re.search(r"step (\d+) of \1\b", text.inner_text())) # the slider has gone along
    image = page.locator(".widget-image").first
    before = pixels(image)
    set_slider(page, "step", .5)
    wait_until(lambda: (pixels(image) != before).any())
    wait_until(lambda: not re.search(r"step (\d+) of \1\b", text.inner_text()))
    said = text.inner_text()
    page.keyboard.press("ArrowRight") # the handle has the focus
    wait_until(lambda: text.inner_text() != said)
    page.wait_for_timeout(500)
    keep(page, "explore_training", page.locator(".jp-OutputArea-output", has=image))


def test_what_belongs_together_is_seen_together_on_a_small_laptop(opened):
    "1280 x 800, with JupyterLab's list of files open."
    for name in ("saliency", "phantom"):
        page = opened(name)
        page.set_viewport_size(dict(width=1280, height=800))
        image, text = page.locator(".widget-image").first, page.locator(".widget-html-content").first
        image.wait_for(timeout=WAIT)
        page.wait_for_timeout(500)
        film, slider, said = (x.bounding_box() for x in (image, page.locator(".widget-slider").first, text))
        assert film["width"] > 300 and slider["y"] < film["y"] + film["height"]
        assert name == "phantom" or said["x"] > film["x"] + film["width"] and said["y"] < film["y"] + film["height"]
        assert name == "saliency" or slider["x"] + slider["width"] < film["x"]
        page.close()


@pytest.mark.parametrize("width", [1280, 1500])
def test_names_stand_above_their_films(opened, width):
    page = opened("cases")
    page.set_viewport_size(dict(width=width, height=1000))
    strip = page.locator(".widget-image").first
    strip.wait_for(timeout=WAIT)
    page.wait_for_timeout(500)
    names, box = page.locator(".widget-html-content").first.locator("div > span"), strip.bounding_box()
    n = names.count()
    assert n == 6
    for k in range(n):
        assert abs(names.nth(k).bounding_box()["x"] - (box["x"] + k*box["width"]/n)) < 6


# The outline editor --------------------------------------------------------------------------------------------------

def outlines(folder, task):
    "What the file holds of a task on each film."
    path = folder/"mine.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {i: entry.get(task, []) for i, entry in kept.items()}


class Canvas:
    "The editor's canvas, in pixels of the film."
    def __init__(self, page, side=512):
        self.page = page
        self.node = page.locator("canvas.film")
        self.node.wait_for(timeout=WAIT)
        self.node.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('.chexseg-editor .tasks').children.length > 0", timeout=WAIT)
        self.box = self.node.bounding_box()
        self.scale = self.box["width"]/side

    def at(self, x, y): return self.box["x"] + (x + .5)*self.scale, self.box["y"] + (y + .5)*self.scale

    def drag(self, *points, button="left"):
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down(button=button)
        for p in points[1:]:
            self.page.mouse.move(*self.at(*p), steps=6)
        self.page.mouse.up(button=button)

    def click(self, x, y, button="left"): self.page.mouse.click(*self.at(x, y), button=button)

    def choose(self, task): self.page.locator(".chexseg-editor .tasks button", has_text=re.compile(f"^{task}")).click()


def near(outline, points, by=3):
    "Whether an outline is these points, in this order."
    return len(outline) == len(points) and np.abs(np.subtract(outline, points)).max() <= by


def test_an_outline_is_drawn_corrected_and_found_in_the_file(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    first = page.locator(".chexseg-editor .bar b").inner_text()

    canvas.choose("Edema")
    square = [[100, 150], [200, 150], [200, 250], [100, 250]]
    for p in square: # point by point
        canvas.click(*p)
    page.keyboard.press("Enter")
    (film, [drawn]), = wait_until(lambda: [(i, o) for i, o in outlines(folder, "Edema").items() if o])
    assert near(drawn, square), drawn
    assert pixels(canvas.node).std() > 20, "the film is black"

    canvas.drag([200, 250], [230, 290]) # a point is moved
    square[2] = [230, 290]
    wait_until(lambda: near(outlines(folder, "Edema")[film][0], square))
    canvas.drag([150, 150], [150, 110]) # a point is added to a line
    added = [square[0], [150, 110], *square[1:]]
    wait_until(lambda: near(outlines(folder, "Edema")[film][0], added))
    canvas.click(150, 110, button="right") # and deleted
    wait_until(lambda: near(outlines(folder, "Edema")[film][0], square))

    canvas.drag([300, 300], [400, 300], [400, 380], [300, 380], [302, 304]) # freehand
    wait_until(lambda: len(outlines(folder, "Edema")[film]) == 2)
    assert 4 <= len(outlines(folder, "Edema")[film][1]) <= 12
    page.keyboard.press("Control+z")
    wait_until(lambda: len(outlines(folder, "Edema")[film]) == 1)
    page.keyboard.press("Control+y")
    wait_until(lambda: len(outlines(folder, "Edema")[film]) == 2)

    canvas.choose("Pleural Effusion")
    page.locator(".chexseg-editor select").select_option("ours")
    page.get_by_role("button", name="This finding", exact=True).click()
    wait_until(lambda: outlines(folder, "Pleural Effusion")[film])

    page.keyboard.press("Escape")
    canvas.node.focus()
    page.keyboard.press("ArrowRight") # the next film, on which nobody has drawn
    wait_until(lambda: page.locator(".chexseg-editor .bar b").inner_text() != first)
    assert set(outlines(folder, "Edema")) == {film}
    page.get_by_role("button", name="Nothing to outline").click()
    wait_until(lambda: len(outlines(folder, "Edema")) == 2)
    second = page.locator(".chexseg-editor .bar b").inner_text()

    run_cell(page) # once more: the work is taken up where it was left
    assert Canvas(page) and page.locator(".chexseg-editor .bar b").inner_text() == second


def test_a_slip_of_the_mouse_leaves_a_normal_film_as_it_is(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    said = page.locator(".chexseg-editor .said")
    page.get_by_role("button", name="Nothing to outline").click()
    wait_until(lambda: "read, nothing to outline" in said.inner_text())
    kept = (folder/"mine.json").read_bytes()
    for to in ([130, 101], [160, 101]):
        canvas.drag([100, 100], to)
        wait_until(lambda: "holds next to nothing" in said.inner_text())
        canvas.choose("Edema")
        wait_until(lambda: "read, nothing to outline" in said.inner_text())
    assert (folder/"mine.json").read_bytes() == kept
    canvas.drag([100, 100], [160, 100], [160, 160], [100, 160], [100, 100]) # back to where it began
    (drawn,), = wait_until(lambda: [o for o in outlines(folder, "Edema").values() if o])
    assert len({tuple(np.round(p)) for p in drawn}) == len(drawn), drawn


def test_a_point_is_added_between_two_that_are_close_together(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    canvas.choose("Edema")
    apart = 14/canvas.scale # on the screen 14 pixels
    corners = [[200, 200], [200 + apart, 200], [200 + 2*apart, 200], [260, 300], [150, 300]]
    for p in corners:
        canvas.click(*p)
    page.keyboard.press("Enter")
    wait_until(lambda: any(outlines(folder, "Edema").values()))
    canvas.drag([200 + apart/2, 200], [200 + apart/2, 180])
    added = [corners[0], [200 + apart/2, 180], *corners[1:]]
    wait_until(lambda: near([o[0] for o in outlines(folder, "Edema").values() if o][0], added))


def test_all_outlines_are_not_replaced_by_one_press(opened, lab):
    _, folder = lab
    page = opened("editor")
    Canvas(page)
    said, all_of_it = page.locator(".chexseg-editor .said"), page.get_by_role("button", name="All", exact=True)
    page.locator(".chexseg-editor select").select_option("ours")
    all_of_it.click()
    wait_until(lambda: (folder/"mine.json").exists())
    wait_until(lambda: "outlined" in said.inner_text())
    page.locator(".chexseg-editor select").select_option("full")
    kept = (folder/"mine.json").read_bytes()
    all_of_it.click()
    wait_until(lambda: "press once more to replace" in said.inner_text())
    assert (folder/"mine.json").read_bytes() == kept
    all_of_it.click()
    wait_until(lambda: (folder/"mine.json").read_bytes() != kept)


def test_somebody_elses_outlines_are_shown_beside_ones_own(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    said, show = page.locator(".chexseg-editor .said"), page.get_by_role("button", name="Show", exact=True)
    page.locator(".chexseg-editor select").select_option("ours")
    page.mouse.move(5, 5)
    bare = pixels(canvas.node)
    show.click()
    wait_until(lambda: "Dashed: ours." in said.inner_text() and show.get_attribute("aria-pressed") == "true")
    page.mouse.move(5, 5)
    wait_until(lambda: (pixels(canvas.node) != bare).any())
    theirs = pixels(canvas.node)
    page.locator(".chexseg-editor select").select_option("full")
    wait_until(lambda: "Dashed: full." in said.inner_text())
    assert (pixels(canvas.node) != theirs).any()
    keep(page, "explore_show", page.locator(".chexseg-editor"))
    show.click()
    wait_until(lambda: "Dashed" not in said.inner_text())
    page.mouse.move(5, 5)
    wait_until(lambda: (pixels(canvas.node) == bare).all())
    assert not (folder/"mine.json").exists() # nothing was drawn


def test_the_wheel_enlarges_the_film_after_a_button_too_and_space_scrolls_nothing(opened):
    page = opened("editor")
    canvas = Canvas(page)
    page.get_by_role("button", name="reset", exact=True).click()
    page.mouse.move(*canvas.at(200, 200))
    before = pixels(canvas.node)
    page.mouse.wheel(0, -500)
    wait_until(lambda: (np.abs(pixels(canvas.node) - before) > 30).mean() > .05)
    canvas.node.focus()
    where = canvas.node.bounding_box()
    page.keyboard.press(" ")
    page.wait_for_timeout(300)
    assert canvas.node.bounding_box() == where


@pytest.mark.parametrize("width", [1280, 1366])
def test_the_help_is_read_without_scrolling(opened, width):
    page = opened("editor")
    page.set_viewport_size(dict(width=width, height=768))
    Canvas(page)
    page.get_by_text("Help", exact=True).last.click()
    table = page.locator(".chexseg-editor details table")
    table.wait_for(timeout=WAIT)
    desk, box = page.locator(".chexseg-editor").bounding_box(), table.bounding_box()
    assert box["x"] >= desk["x"] - 1 and box["x"] + box["width"] <= desk["x"] + desk["width"] + 1
    assert table.evaluate("t => t.scrollWidth <= t.clientWidth + 1")
    keep(page, f"help_{width}")


def test_the_notebook_is_saved_from_the_editor(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    before = (folder/"editor.ipynb").stat().st_mtime_ns
    page.wait_for_timeout(300)
    assert (folder/"editor.ipynb").stat().st_mtime_ns == before
    canvas.node.focus()
    page.keyboard.press("Control+s")
    wait_until(lambda: (folder/"editor.ipynb").stat().st_mtime_ns != before)


def test_keys_belong_to_the_editor(opened):
    "In JupyterLab's command mode `d d` deletes a cell and `x` cuts it."
    page = opened("editor")
    canvas = Canvas(page)
    cells = page.locator(".jp-Cell").count()
    canvas.click(40, 40)
    page.keyboard.press("Escape")
    for key in "ddxbm":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.locator(".jp-Cell").count() == cells
    page.get_by_role("button", name="◀").click()
    page.keyboard.press("x") # also after a button
    assert page.locator(".jp-Cell").count() == cells
    page.locator(".chexseg-editor select").select_option("ours")
    page.get_by_role("button", name="All", exact=True).click()
    canvas.choose("Edema")
    page.wait_for_timeout(1500)
    keep(page, "explore_editor", page.locator(".chexseg-editor"))


def test_points_are_where_the_film_was_clicked_when_it_is_enlarged(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    canvas.choose("Lung Lesion")
    canvas.node.focus()
    page.mouse.move(*canvas.at(200, 200))
    page.mouse.wheel(0, -500)
    page.wait_for_timeout(300)
    zoom = np.exp(1) # as the front end has it for 500 steps of the wheel
    for x, y in ((200, 200), (260, 200), (260, 260)): # on the screen
        canvas.click(x, y)
    page.keyboard.press("Enter")
    drawn = wait_until(lambda: [o[0] for o in outlines(folder, "Lung Lesion").values() if o])[-1]
    far = 200 + 60/zoom
    assert near(drawn, [[200, 200], [far, 200], [far, far]], 2), drawn


def test_what_python_changes_is_seen(opened):
    page = opened("editor")
    canvas = Canvas(page)
    canvas.choose("Cardiomegaly") # a change in the browser comes before
    before = pixels(canvas.node)
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.insert_text("editor.desk.draw('Cardiomegaly', [[[50, 50], [450, 60], [440, 450]]])\neditor.show()")
    page.keyboard.press("Shift+Enter")
    wait_until(lambda: (np.abs(pixels(canvas.node) - before) > 60).sum() > 500)


def test_points_are_taken_back_and_kept_when_the_film_is_turned(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    canvas.choose("Atelectasis")
    place = page.locator(".chexseg-editor .bar b")
    for p in ([120, 300], [180, 300], [180, 360], [400, 100]):
        canvas.click(*p)
    page.keyboard.press("Control+z") # the last point, and no outline that is finished
    first = place.inner_text()
    page.keyboard.press("ArrowLeft" if "1 of" not in first else "ArrowRight")
    wait_until(lambda: place.inner_text() != first)
    drawn = wait_until(lambda: [o[0] for o in outlines(folder, "Atelectasis").values() if o])[-1]
    assert near(drawn, [[120, 300], [180, 300], [180, 360]]), drawn


def test_greys_are_spread_on_each_film_until_reset(opened):
    page = opened("pale")
    canvas = Canvas(page)
    place = page.locator(".chexseg-editor .bar b")
    auto = page.get_by_role("button", name="auto", exact=True)
    values = page.locator(".chexseg-editor input[type=range]")
    def light(): return [values.nth(k).input_value() for k in range(2)]
    def is_spread(): return np.ptp(np.percentile(pixels(canvas.node)[..., 0], (2, 98))) > 240
    def turn():
        before = place.inner_text()
        page.get_by_role("button", name="▶", exact=True).click()
        wait_until(lambda: place.inner_text() != before)
    assert not is_spread()
    auto.click()
    wait_until(is_spread)
    first = light()
    turn()
    wait_until(lambda: light() != first and is_spread()) # of its own greys
    page.get_by_role("button", name="reset", exact=True).click()
    wait_until(lambda: light() == ["100", "100"] and auto.get_attribute("aria-pressed") == "false")
    turn()
    page.wait_for_timeout(500)
    assert light() == ["100", "100"] and not is_spread()
    canvas.node.focus()
    page.keyboard.press("a")
    wait_until(lambda: is_spread() and auto.get_attribute("aria-pressed") == "true")
    page.keyboard.press("a")
    wait_until(lambda: light() == ["100", "100"])


def test_a_dark_film_is_spread_until_reset(opened):
    page = opened("dark")
    canvas = Canvas(page)
    auto = page.get_by_role("button", name="auto", exact=True)
    def is_spread(): return np.ptp(np.percentile(pixels(canvas.node)[..., 0], (2, 98))) > 240
    wait_until(lambda: is_spread() and auto.get_attribute("aria-pressed") == "true")
    page.get_by_role("button", name="reset", exact=True).click()
    wait_until(lambda: not is_spread() and auto.get_attribute("aria-pressed") == "false")


def test_a_stray_click_says_what_it_began_and_leaves_nothing(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    said, undo = page.locator(".chexseg-editor .said"), page.get_by_role("button", name="Undo", exact=True)
    def says(text): wait_until(lambda: text in said.inner_text())
    canvas.choose("Consolidation")
    says("saved after every change")
    kept = outlines(folder, "Consolidation")
    canvas.click(60, 60)
    says("1 point set: go on clicking")
    before = pixels(canvas.node)
    page.mouse.move(*canvas.at(400, 90), steps=5)
    assert (pixels(canvas.node) == before).all() # no line follows the pointer
    canvas.choose("Pneumothorax")
    says("saved after every change")
    for begin in ((60, 60), (120, 60)):
        canvas.click(*begin)
    says("2 points set: go on clicking")
    page.keyboard.press("Enter") # not yet an outline, and not lost
    canvas.click(120, 120)
    says("3 points set: Enter or the first point closes")
    canvas.click(300, 300, button="right")
    says("2 points set")
    undo.click()
    says("1 point set")
    canvas.click(300, 300, button="right")
    says("saved after every change")
    canvas.click(60, 60)
    page.keyboard.press("Escape")
    says("saved after every change")
    canvas.click(60, 60)
    canvas.click(120, 60)
    says("2 points set")
    place = page.locator(".chexseg-editor .bar b")
    first = place.inner_text()
    page.keyboard.press("ArrowLeft" if first.startswith("12 of") else "ArrowRight")
    wait_until(lambda: place.inner_text() != first)
    says("saved after every change")
    assert outlines(folder, "Consolidation") == kept
    assert not any(outlines(folder, "Pneumothorax").values())


@pytest.mark.parametrize("height", [768, 641]) # of the screen, and what a browser leaves of it
def test_film_findings_and_buttons_are_seen_together_on_a_laptop(opened, height):
    page = opened("editor")
    page.set_viewport_size(dict(width=1366, height=height))
    run_cell(page)
    Canvas(page)
    page.locator(".chexseg-editor").evaluate("node => node.scrollIntoView()")
    page.wait_for_timeout(500)
    seen = page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    bottom, right = seen["y"] + seen["height"], seen["x"] + seen["width"]
    parts = "canvas.film, .chexseg-editor button, .chexseg-editor select, .chexseg-editor .said"
    for what in page.locator(parts).all():
        box = what.bounding_box()
        assert box["y"] >= seen["y"] - 1 and box["y"] + box["height"] <= bottom, what.inner_text()
        assert box["x"] >= seen["x"] and box["x"] + box["width"] <= right, what.inner_text()
    film, side = (page.locator(f".chexseg-editor {what}").bounding_box() for what in (".film", ".side"))
    assert film["height"] >= 400 and side["x"] >= film["x"] + film["width"]
    assert page.locator(".jp-OutputArea-output").last.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_drag_at_the_outline_of_another_finding_draws_nothing_and_chooses_it(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    said = page.locator(".chexseg-editor .said")
    canvas.choose("Atelectasis")
    square = [[100, 150], [200, 150], [200, 250], [100, 250]]
    for p in square:
        canvas.click(*p)
    page.keyboard.press("Enter")
    def films_with(outline):
        kept = outlines(folder, "Atelectasis")
        return [i for i, drawn in kept.items() if any(near(o, outline) for o in drawn)]
    film, = wait_until(lambda: films_with(square))
    canvas.choose("Cardiomegaly")
    canvas.drag([200, 250], [230, 290], [240, 330]) # the corner of another finding
    wait_until(lambda: "Atelectasis is chosen" in said.inner_text())
    page.wait_for_timeout(500)
    assert not outlines(folder, "Cardiomegaly").get(film) and films_with(square) == [film]
    canvas.drag([200, 250], [230, 290]) # now it is moved
    square[2] = [230, 290]
    wait_until(lambda: films_with(square) == [film])
    canvas.choose("Cardiomegaly")
    canvas.click(100, 200) # on a line
    wait_until(lambda: page.locator(".chexseg-editor .tasks .chosen").inner_text().startswith("Atelectasis"))
    canvas.choose("Cardiomegaly")
    canvas.drag([100, 200], [40, 200], [40, 260], [90, 260], [98, 204]) # a line around something may begin there
    wait_until(lambda: len(outlines(folder, "Cardiomegaly").get(film, [])) == 1)


def test_an_outlined_film_is_not_emptied_by_one_press(opened, lab):
    _, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    said, nothing = page.locator(".chexseg-editor .said"), page.get_by_role("button", name="Nothing to outline")
    canvas.choose("Consolidation")
    canvas.drag([300, 300], [400, 300], [400, 380], [300, 380], [302, 304])
    film = wait_until(lambda: [i for i, drawn in outlines(folder, "Consolidation").items() if drawn])[-1]
    def is_outlined(): return bool(outlines(folder, "Consolidation")[film])
    def asks(): return re.search("outlined on this film .*press once more", said.inner_text())
    nothing.dblclick() # one press
    wait_until(asks)
    page.wait_for_timeout(500)
    assert is_outlined()
    canvas.choose("Edema")
    wait_until(lambda: "saved after every change" in said.inner_text())
    page.wait_for_timeout(600) # no double click
    nothing.click()
    wait_until(asks)
    assert is_outlined()
    keep(page, "editor_asks", page.locator(".chexseg-editor"))
    page.wait_for_timeout(600)
    nothing.click()
    wait_until(lambda: not is_outlined() and "read, nothing to outline" in said.inner_text())
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_until(is_outlined)


def test_nothing_is_called_saved_when_the_kernel_has_ended(opened, lab):
    address, folder = lab
    page = opened("editor")
    canvas = Canvas(page)
    canvas.choose("Lung Lesion")
    said = page.locator(".chexseg-editor .said")
    wait_until(lambda: "saved after every change" in said.inner_text())
    token = {"X-XSRFToken": next(c["value"] for c in page.context.cookies() if c["name"] == "_xsrf")}
    for kernel in json.load(urllib.request.urlopen(f"{address}/api/kernels")):
        page.request.delete(f"{address}/api/kernels/{kernel['id']}", headers=token)
    kept = outlines(folder, "Lung Lesion")
    canvas.drag([300, 300], [400, 300], [400, 380], [300, 380], [302, 304])
    wait_until(lambda: said.inner_text().startswith("NOT SAVED"))
    assert outlines(folder, "Lung Lesion") == kept
