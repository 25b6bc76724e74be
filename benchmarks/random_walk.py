"""The random walk on shifts against the dense transition matrix.   python -m benchmarks.random_walk"""
import torch

from benchmarks.common import best, table, verdict
from chexseg.irnet import affinities, paths, random_walk

SIDE = 80
RADIUS = 3
BETA = 5
TIMES = 3 # the matrix is squared so often


def matrix(edge):
    "IRNet's transition matrix, column-normalised."
    a = affinities(edge, RADIUS)[0]**BETA
    A = torch.eye(SIDE*SIDE)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for k, ((dy, dx), *_) in enumerate(paths(RADIUS)):
        ok = (y + dy < SIDE) & (x + dx >= 0) & (x + dx < SIDE)
        i = (y*SIDE + x)[ok]
        j = ((y + dy)*SIDE + x + dx)[ok]
        A[i, j] = A[j, i] = a[k][ok]
    return A/A.sum(0)


def dense(maps, edge):
    "IRNet's way: the whole matrix, squared three times."
    T = matrix(edge)
    for _ in range(TIMES):
        T = T @ T
    return ((maps*(1 - edge)).flatten(2) @ T).view_as(maps)


def shifts(maps, edge):
    "The same without a matrix."
    return random_walk(maps, edge, RADIUS, BETA, TIMES)


def plain_additions(maps):
    "Seconds to move as much: each step reads 25 shifted copies and as many weights, and writes once."
    steps = 2**TIMES
    ways = 2*len(paths(RADIUS)) + 1
    return best(lambda: [torch.add(maps, maps, out=torch.empty_like(maps)) for _ in range(steps*ways)], 5)[0]


def peak(f):
    "The most bytes that tensors made by `f` held at one time."
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=cpu, profile_memory=True) as p:
        f()
    events = [e for e in p.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for e in sorted(events, key=lambda e: e.start_ns()):
        held += e.nbytes()
        most = max(most, held)
    return most


def main():
    g = torch.Generator().manual_seed(0)
    maps = torch.rand(1, 10, SIDE, SIDE, generator=g)
    edge = torch.rand(1, SIDE, SIDE, generator=g)**2
    ours, got = best(lambda: shifts(maps, edge), 20)
    theirs, want = best(lambda: dense(maps, edge), 1)
    difference = float((got - want).abs().max()/want.max())
    assert difference < 1e-5, difference
    copy = plain_additions(maps)
    memory = peak(lambda: dense(maps, edge))/peak(lambda: shifts(maps, edge))
    table("ten maps, 80x80, radius 3, beta 5, 8 steps", {
        "dense matrix": f"{theirs:.2f} s",
        "shifts": f"{1000*ours:.2f} ms",
        "as many plain additions": f"{1000*copy:.2f} ms",
        "largest relative difference": f"{difference:.1e}",
        "memory at its peak, dense over shifts": f"{memory:.0f}x"})
    verdict("random_walk", theirs, ours, copy, difference=difference, memory_ratio=round(memory))


if __name__ == "__main__":
    main()
