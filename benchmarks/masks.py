"""Ten masks of a film of 2320x2828: from run lengths into a square of 320 px, and a network's answers back to the film.

    python -m benchmarks.masks

The peers are pycocotools and Pillow, used as one would: decode and shrink by Pillow's box filter; enlarge each
probability to the whole film, cut, encode."""
import numpy as np
from PIL import Image
from pycocotools import mask as coco
from scipy.ndimage import gaussian_filter

from benchmarks.common import best, table, verdict
from chexseg.core import TASKS
from chexseg.inference import film_masks
from chexseg.masks import MaskSet, decode, encode_empty, letterbox, run_lengths
from chexseg.phantom import phantom_film

SIZE = (2320, 2828)
SIDE = 320
FILMS = 8
BOX = letterbox(SIZE, SIDE)


def large_masks():
    "Masks of phantoms, enlarged to the size of CheXpert's films, some on every film."
    found = MaskSet()
    k = 0
    while len(found) < FILMS:
        masks = phantom_film(0, k, 512).masks
        if masks.any():
            found.add(f"film{k}", [Image.fromarray(m).resize(SIZE[::-1], Image.Resampling.NEAREST) for m in masks])
        k += 1
    return found


def in_square(cover):
    "A square with what Pillow left of a film."
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[BOX.top:BOX.top + BOX.height, BOX.left:BOX.left + BOX.width] = cover >= min(.5, cover.max())
    return square


def shrunk_by_pillow(rle):
    "One mask: every pixel is decoded, and averaged; an empty one is known by its runs."
    if not coco.area(rle):
        return np.zeros((SIDE, SIDE), np.uint8)
    full = Image.fromarray(coco.decode(rle).astype(np.float32))
    return in_square(np.asarray(full.resize((BOX.width, BOX.height), Image.Resampling.BOX)))


def answers(squares):
    "What a network may say of each film: soft masks, float (films, tasks, side, side)."
    return gaussian_filter(squares.astype(np.float32), (0, 0, 3, 3))


def outlined_whole(probs, thresholds):
    "Masks at film size: each plane enlarged as a whole, cut and encoded."
    def one(p, threshold):
        if p.max() <= threshold:
            return encode_empty(*SIZE)
        rle = coco.encode(np.asfortranarray(BOX.undo(p[None])[0] > threshold, dtype=np.uint8))
        return {"size": list(SIZE), "counts": rle["counts"].decode()}
    return [one(*pt) for pt in zip(probs, thresholds)]


def main():
    found = large_masks()
    rles = [found.rle(i, t) for i in found.ids for t in TASKS]
    theirs, plain = best(lambda: np.stack([shrunk_by_pillow(r) for r in rles]))
    mine, squares = best(lambda: np.stack([BOX.shrink(r) for r in rles]))
    limit, _ = best(lambda: [run_lengths(r["counts"]) for r in rles]) # to read them is the least that has to be done
    off = (plain != squares).sum()
    assert off <= 1e-3*plain.sum(), f"{off} pixels differ"
    probs = answers(squares.reshape(FILMS, len(TASKS), SIDE, SIDE))
    limits = np.full(len(TASKS), .4)
    whole, expected = best(lambda: [outlined_whole(p, limits) for p in probs])
    fast, got = best(lambda: [film_masks(p, SIZE, limits) for p in probs])
    different = sum(int((decode(a) != decode(b)).sum()) for pair in zip(expected, got) for a, b in zip(*pair))
    table(f"ten masks of a film of {SIZE[0]}x{SIZE[1]}, {FILMS} films", {
        "into the square: pycocotools and Pillow": f"{1000*theirs/FILMS:.1f} ms a film",
        "into the square: chexseg": f"{1000*mine/FILMS:.2f} ms a film; {off} of {plain.sum():,} pixels differ",
        "onto the film: whole planes": f"{1000*whole/FILMS:.0f} ms a film",
        "onto the film: chexseg": f"{1000*fast/FILMS:.1f} ms a film; {different} pixels differ",
        "ratio onto the film": f"{whole/fast:.1f}"})
    verdict("masks", theirs, mine, limit, outlining_ratio=round(whole/fast, 2), pixels_off=int(off),
            outlined_pixels_off=different)


if __name__ == "__main__":
    main()
