"""A run whose process ends, as if killed, after some steps of its trainings, and begins again, until it is done.

python -m tests.trust.cut STEPS ARGUMENTS      prints how often it was cut; 0 steps: never

Each attempt is a process of its own, forked from this one, which has imported everything and trained nothing."""
import os
import sys

import chexseg.pipeline # noqa: F401 (what the attempts need, once for all)
import chexseg.resume
from chexseg.__main__ import main
from chexseg.training import FiniteLoss

MOST = 40 # attempts


def attempt(steps, arguments):
    "Run in this process, which ends with status 9 at a step of the trainings; no chance to tidy up."
    seen = 0

    def after_batch(callback):
        nonlocal seen
        seen += callback.training
        if seen == steps:
            os._exit(9)

    chexseg.resume.EVERY = 0
    FiniteLoss.run_valid = True
    FiniteLoss.after_batch = after_batch
    return main(arguments)


def forked(steps, arguments):
    "The exit status of an attempt in a process of its own."
    child = os.fork()
    if not child:
        status = 1
        try:
            status = attempt(steps, arguments) if steps else main(arguments)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    steps, arguments = int(sys.argv[1]), sys.argv[2:]
    for cuts in range(MOST):
        status = forked(steps, arguments)
        if status != 9:
            print(f"cut {cuts} times")
            sys.exit(status)
    sys.exit("no progress between two cuts")
