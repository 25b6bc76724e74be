"""How many phantom films a core draws each second, at 128 and 256 pixels.   python -m benchmarks.phantom"""
import time

import numpy as np
from scipy import ndimage

from benchmarks.common import best, table, verdict
from chexseg.phantom import phantom_film

TARGET = {128: 120, 256: 30} # films a second and core


def seconds(side, n=60):
    "Seconds a film."
    start = time.perf_counter()
    for k in range(n):
        phantom_film(0, k, side)
    return (time.perf_counter() - start)/n


def ten_blurs():
    "Seconds for ten separable blurs: about what any physics of a film needs."
    a = np.random.default_rng(0).random((128, 128), np.float32)
    return best(lambda: [ndimage.gaussian_filter(a, 2) for _ in range(10)], 20)[0]


def main():
    first = phantom_film(0, 3)
    again = phantom_film(0, 3)
    assert np.array_equal(first.image, again.image) # a seed is a film
    took = {side: min(seconds(side) for _ in range(2)) for side in TARGET}
    blurs = ten_blurs()
    table("films a second and core", {f"{s} px": f"{1/t:.0f} (bar {TARGET[s]})" for s, t in took.items()})
    pace = {str(s): round(1/t, 1) for s, t in took.items()}
    verdict("phantom", 1/TARGET[128], took[128], blurs, films_per_second=pace)


if __name__ == "__main__":
    main()
