"""The random walk on shifts against the dense transition matrix.   python -m benchmarks.random_walk"""
import torch

from benchmarks.common import best, table, verdict
from chexseg.irnet import affinities, paths, random_walk

SIDE, RADIUS, BETA, TIMES = 80, 3, 5, 3


def dense(maps, edge):
    "IRNet's way: the whole matrix, column-normalised, squared three times."
    n, a = SIDE*SIDE, affinities(edge, RADIUS)[0]**BETA
    A, (y, x) = torch.eye(n), torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for k, ((dy, dx), *_) in enumerate(paths(RADIUS)):
        ok = (y + dy < SIDE) & (x + dx >= 0) & (x + dx < SIDE)
        i, j = (y*SIDE + x)[ok], ((y + dy)*SIDE + x + dx)[ok]
        A[i, j] = A[j, i] = a[k][ok]
    T = A/A.sum(0)
    for _ in range(TIMES): T = T @ T
    return ((maps*(1 - edge)).flatten(2) @ T).view_as(maps)


def main():
    g = torch.Generator().manual_seed(0)
    maps, edge = torch.rand(1, 10, SIDE, SIDE, generator=g), torch.rand(1, SIDE, SIDE, generator=g)**2
    ours, got = best(lambda: random_walk(maps, edge, RADIUS, BETA, TIMES), 20)
    theirs, want = best(lambda: dense(maps, edge), 1)
    difference = float((got - want).abs().max()/want.max())
    assert difference < 1e-5, difference
    # what must be moved: each step reads 25 shifted copies and as many weights, and writes once; the limit is that at the speed of a plain copy
    steps, ways = 2**TIMES, 2*len(paths(RADIUS)) + 1
    copy, _ = best(lambda: [torch.add(maps, maps, out=torch.empty_like(maps)) for _ in range(steps*ways)], 5)
    memory = peak(lambda: dense(maps, edge))/peak(lambda: random_walk(maps, edge, RADIUS, BETA, TIMES))
    table("ten maps, 80x80, radius 3, beta 5, 8 steps", {"dense matrix": f"{theirs:.2f} s", "shifts": f"{1000*ours:.2f} ms", "as many plain additions": f"{1000*copy:.2f} ms",
          "largest relative difference": f"{difference:.1e}", "memory at its peak, dense over shifts": f"{memory:.0f}x"})
    verdict("random_walk", theirs, ours, copy, difference=difference, memory_ratio=round(memory))


def peak(f):
    "The most bytes that tensors made by `f` held at one time."
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as p: f()
    held = most = 0
    for e in sorted((e for e in p.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += e.nbytes(); most = max(most, held)
    return most


if __name__ == "__main__": main()
