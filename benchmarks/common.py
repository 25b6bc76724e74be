"""What every benchmark does: take the best of a few runs, compare, print how it went, keep that as JSON."""
import json
import platform
import time
from pathlib import Path

import torch

RESULTS = Path(__file__).parent/"results"


def best(f, n=3):
    "The shortest of `n` runs in seconds, and what the last one returned."
    times = []
    for _ in range(n):
        start = time.perf_counter()
        out = f()
        times.append(time.perf_counter() - start)
    return min(times), out


def table(title, rows):
    "Print named numbers, one a line."
    print(title)
    for name, value in rows.items():
        print(f"  {name:<52}{value}")


def verdict(name, peer, ours, limit, **more):
    "Print the last line: the peer's cost over ours, and how near ours is to the limit; and keep both."
    machine = dict(cores=torch.get_num_threads(), machine=platform.machine(), torch=torch.__version__)
    out = dict(benchmark=name, ratio=round(peer/ours, 2), limit_fraction=round(limit/ours, 3), **machine, **more)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS/f"{name}.json").write_text(json.dumps(out, indent=1) + "\n")
    print(f"{name} ratio={out['ratio']} limit_fraction={out['limit_fraction']}")
