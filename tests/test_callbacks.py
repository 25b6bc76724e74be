"""fastai's callbacks in the book's trainings: they are taken along, see what they need, and leave no trace."""
from functools import partial

import pandas as pd
import pytest
from fastai.callback.core import Callback
from fastai.callback.progress import CSVLogger
from fastai.callback.tracker import EarlyStoppingCallback

from chexseg.callbacks import find_lr
from chexseg.classifier import fit_classifier
from chexseg.core import ChexsegError
from chexseg.data import assign_roles, open_study
from chexseg.dataset import write_phantom
from chexseg.pipeline import run_pipeline
from chexseg.supervision import fit_segmenter
from chexseg.training import fingerprint, with_callbacks

SMALL = dict(arch="small", side=32)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp("films")/"phantom", train=96, val=40, test=8, side=64, workers=1)


@pytest.fixture(scope="module")
def parts(films):
    study = assign_roles(open_study(films), experts=20)
    return {role: study.part(role) for role in ("weak", "valid", "expert")}


class Witness(Callback):
    "Count trainings."
    made = 0
    def __init__(self): type(self).made += 1
    def before_fit(self): self.seen = True


def test_every_training_of_a_run_takes_callbacks_along(films, tmp_path):
    made = Witness.made
    with with_callbacks(Witness):
        run_pipeline(films, out=tmp_path/"run", side=32, classifier_epochs=1, segmenter_steps=4, segmenter_bs=8,
                     methods=["full", "semi"], until="segmenters", experts=20, workers=0)
    assert Witness.made == made + 3 # a classifier and two segmenters


def test_losses_are_written_and_change_nothing(parts, tmp_path):
    def train(): return fit_classifier(parts["weak"], parts["valid"], epochs=2, **SMALL)
    plain = fingerprint(train().model)
    with with_callbacks(partial(CSVLogger, fname=tmp_path/"history.csv")):
        watched = train()
    assert fingerprint(watched.model) == plain
    assert list(pd.read_csv(tmp_path/"history.csv")) == ["epoch", "train_loss", "valid_loss", "auroc", "time"]
    train()
    assert len(pd.read_csv(tmp_path/"history.csv")) == 2 # nothing is added outside


def test_a_training_that_stops_early_keeps_its_best_epoch(parts):
    class Stop(EarlyStoppingCallback):
        def after_epoch(self):
            self.best = 2. # nothing will ever be better
            super().after_epoch()
    with with_callbacks(partial(Stop, monitor="auroc", patience=1)):
        learn = fit_classifier(parts["weak"], parts["valid"], epochs=5, **SMALL)
    assert learn.epoch < 4 and learn.keep_best.best[0].epoch <= learn.epoch
    weights = learn.model.state_dict()
    assert all((v == weights[k].cpu()).all() for k, v in learn.keep_best.best[0].state.items())


@pytest.mark.parametrize("kind", ("classifier", "segmenter"))
def test_a_learning_rate_is_found_and_nothing_is_left(kind, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if kind == "classifier":
        found = find_lr(fit_classifier, parts["weak"], parts["valid"], epochs=10, bs=16, tries=40, **SMALL)
    else:
        found = find_lr(fit_segmenter, "full", expert=parts["expert"], steps=40, epochs=2, side=32)
    assert found.lrs[0] < found.lr < found.lrs[-1] and len(found.lrs) == len(found.losses) <= 40
    assert list(tmp_path.iterdir()) == []


def test_a_training_too_short_to_search_says_so(parts):
    with pytest.raises(ChexsegError, match="are too few to search for a learning rate"):
        find_lr(fit_classifier, parts["weak"], parts["valid"], epochs=1, **SMALL)


def test_tensorboard_sees_losses_and_metrics(parts, tmp_path):
    pytest.importorskip("tensorboard")
    from fastai.callback.tensorboard import TensorBoardCallback
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    board = partial(TensorBoardCallback, str(tmp_path/"board"), trace_model=False, log_preds=False)
    with with_callbacks(board):
        fit_classifier(parts["weak"], parts["valid"], epochs=2, **SMALL)
    events = EventAccumulator(str(tmp_path/"board"))
    events.Reload()
    assert {"train_loss", "auroc"} <= set(events.Tags()["scalars"]) and len(events.Scalars("auroc")) == 2


def test_wandb_sees_losses_and_metrics(parts, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from fastai.callback.wandb import WandbCallback
    monkeypatch.chdir(tmp_path)
    run = wandb.init(project="chest", mode="offline", dir=tmp_path)
    said = []
    monkeypatch.setattr(wandb, "log", lambda values, *a, **k: said.append(values))
    with with_callbacks(partial(WandbCallback, log=None, log_preds=False, log_model=False)):
        fit_segmenter("full", expert=parts["expert"], steps=4, epochs=2, side=32)
    run.finish()
    assert any("miou" in values for values in said) and any("train_loss" in values for values in said)
