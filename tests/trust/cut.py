"""A run whose process ends, as if killed, at a step of its trainings: `python -m tests.trust.cut STEPS ARGUMENTS`."""
import os
import sys

import chexseg.resume
from chexseg.__main__ import main
from chexseg.training import FiniteLoss

LEFT = int(sys.argv[1]) # training steps until the end
seen = 0


def after_batch(callback):
    "End the process, with no chance to tidy up."
    global seen
    seen += callback.training
    if seen == LEFT:
        os._exit(9)


chexseg.resume.EVERY = 0
FiniteLoss.run_valid = True
FiniteLoss.after_batch = after_batch
sys.exit(main(sys.argv[2:]))
