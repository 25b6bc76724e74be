# Every target sets up what it needs, in .venv (and .venv-newest), and keeps it.
PYTHON ?= python3
BIN := .venv/bin
NEWEST := .venv-newest/bin
LOWEST := .venv-lowest/bin
MINUTES ?= 60
BASE ?= main
DEMO ?= runs/demo
SEED ?= 0
# Tests on real films run where there are some; elsewhere they are skipped and say so.
REAL := $(if $(wildcard ../shared/data/README.md),CHEXSEG_TEST_DATA=$${CHEXSEG_TEST_DATA:-$(abspath ../shared/data)},)
TUTORIAL := nbs/tutorials/phantom_end_to_end.ipynb

.PHONY: help demo bench gpu story docs quick test hard lab lint check nbtest pytest newest lowest readme notebooks audit hooks wheel clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

# `compat` names this folder in a path file, so that the package is also found beside a clone of the same name.
.venv/.ready: settings.ini setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "chexseg needs Python 3.10 or newer; this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --config-settings editable_mode=compat -e '.[dev,lab,dicom]'
	touch $@

# The newest fastai and fastcore, as a user gets them, over everything else that .venv holds.
.venv-newest/.ready: .venv/.ready
	rm -rf .venv-newest && $(BIN)/python -m venv --without-pip .venv-newest
	$(BIN)/python -c 'import sysconfig, pathlib; here = sysconfig.get_path("purelib"); \
		pathlib.Path(here.replace("/.venv/", "/.venv-newest/"), "over.pth").write_text(f"import site; site.addsitedir({here!r})\n")'
	$(BIN)/python -m pip --python $(NEWEST)/python install --quiet --upgrade fastai fastcore
	touch $@

# The oldest versions that settings.ini admits.
.venv-lowest/.ready: settings.ini tests/lowest.py
	rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --quiet --upgrade pip
	$(LOWEST)/python -m pip install --quiet $$($(PYTHON) tests/lowest.py) nbclient ipykernel ipywidgets
	$(LOWEST)/python -m pip install --quiet --no-deps -e .
	touch $@

demo: .venv/.ready ## the whole method on the phantom, on a CPU: a table and runs/demo/report.html
	$(BIN)/chexseg run --out $(DEMO) --seed $(SEED)

bench: .venv/.ready ## what is fast, against whom: benchmarks/results/*.json and chart.png
	-$(BIN)/python -m pip install --quiet pydensecrf2  # the peer of the CRF; it needs a compiler, and without it that figure stays as it was
	$(BIN)/python -m benchmarks.all

# What only a machine with a GPU can tell; benchmarks/results/gpu keeps what it said.
gpu: .venv/.ready ## on a machine with a GPU: its tests, what it does a second, and the method at its size
	$(BIN)/python -m pytest -q tests/test_cuda.py
	$(BIN)/python -m benchmarks.gpu
	$(BIN)/chexseg run --preset gpu --out runs/gpu

# The run whose excerpt travels with the package: 8,000 phantoms at 512 px, half an hour on two cores.
story: .venv/.ready ## make chexseg/story anew: the run that the chapters show
	$(BIN)/chexseg run --preset story --out runs/story
	rm -rf chexseg/story
	$(BIN)/chexseg excerpt runs/story chexseg/story

lab: .venv/.ready ## JupyterLab on the tutorials
	$(BIN)/jupyter lab --ServerApp.root_dir=nbs --LabApp.default_url=/lab/tree/tutorials/one_film.ipynb

docs: .venv/.ready ## the chapters as a web site, nothing run: _docs/index.html
	$(BIN)/python docs/book.py

quick: lint check ## while you work: the notebooks that differ from BASE (main), and the tests of texts and the house
	git diff --name-only --relative --diff-filter=d $(BASE) -- 'nbs/*.ipynb' \
		| OMP_NUM_THREADS=1 CHEXSEG_PROGRESS=0 xargs -P 2 -I NB $(BIN)/nbdev_test --path NB --n_workers 0 --timing
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_typeset.py tests/test_docs.py

test: lint check ## everything that CI checks
	OMP_NUM_THREADS=1 $(MAKE) --no-print-directory -j2 nbtest newest # alone, the one page would leave a core idle
	$(MAKE) --no-print-directory pytest

lint: .venv/.ready ## one statement a line, no unused names
	$(BIN)/ruff check --quiet chexseg docs tests benchmarks setup.py

check: .venv/.ready ## notebooks exported and clean, README current
	rm -rf .make && mkdir .make && cp -r nbs chexseg README.md llms.txt .make/
	find .make nbs chexseg \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
	$(MAKE) --no-print-directory notebooks readme
	find nbs chexseg \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
	diff -r .make/nbs nbs && diff -r .make/chexseg chexseg && diff .make/README.md README.md && diff .make/llms.txt llms.txt \
		|| { echo 'The notebooks were not exported and clean (see above); they are now: look at the change and commit it.'; exit 1; }
	rm -rf .make

notebooks: .venv/.ready ## export the notebooks to chexseg/ and clean them
	$(BIN)/nbdev_export
	$(BIN)/nbdev_clean

readme: .venv/.ready ## README.md from nbs/index.ipynb, llms.txt from the chapters
	$(BIN)/python tests/readme.py
	$(BIN)/python docs/llms.py

nbtest: .venv/.ready ## every notebook, top to bottom
	OMP_NUM_THREADS=1 CHEXSEG_PROGRESS=0 $(BIN)/nbdev_test --n_workers 2 --timing

pytest: .venv/.ready ## tests/
	$(REAL) CHEXSEG_PROGRESS=0 $(BIN)/python -m pytest -q -rfEs -n auto --dist loadfile tests

newest: .venv-newest/.ready ## the tutorial with the newest fastai and fastcore
	$(NEWEST)/python tests/run_notebook.py $(TUTORIAL)

lowest: .venv-lowest/.ready ## the tutorial with the lowest versions that settings.ini admits
	$(LOWEST)/python tests/run_notebook.py $(TUTORIAL)

hard: .venv/.ready lowest ## what takes hours: 50 kills, an hour of spoilt files, no fork, lowest versions, saved outputs
	CHEXSEG_TEST_HARD=1 CHEXSEG_TEST_KILLS=50 CHEXSEG_PROGRESS=0 $(BIN)/python -m pytest -q tests/trust
	$(BIN)/python -m tests.trust.fuzz --minutes $(MINUTES)
	$(BIN)/python tests/outputs.py

audit: .venv/.ready ## published faults of what is installed, and docs/licences.md; needs a network
	$(BIN)/python -m pip install --quiet pip-audit pip-licenses
	$(BIN)/python docs/audit.py --licences
	$(BIN)/python docs/audit.py

hooks: .venv/.ready ## clean notebooks on saving and merging (writes ~/.jupyter and .git/config)
	mkdir -p ~/.jupyter && $(BIN)/nbdev_install_hooks

wheel: .venv/.ready ## dist/*.whl
	$(BIN)/python -m build --wheel

clean: ## what the targets made, except the environments
	rm -rf .make _docs build dist *.egg-info runs
