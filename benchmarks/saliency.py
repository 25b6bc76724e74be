"""Grad-CAM of ten tasks: one forward pass against ten calls of pytorch-grad-cam.   python -m benchmarks.saliency"""
import torch

from benchmarks.common import best, table, verdict
from chexseg.classifier import build_classifier
from chexseg.saliency import cam_maps, gradcam


@torch.no_grad()
def forward(model, x):
    "A bare forward pass."
    return model(x)


def in_turns(model, x, n=8):
    "The best seconds of our maps and of a bare pass, taken in turns, as a processor's pace changes; and the maps."
    turns = [(best(lambda: gradcam(model, x), 1), best(lambda: forward(model, x), 1)) for _ in range(n)]
    ours = min(maps[0] for maps, _ in turns)
    bare = min(passed[0] for _, passed in turns)
    return ours, bare, turns[-1][0][1].maps


def main():
    torch.manual_seed(0)
    model = build_classifier("densenet121", 10).eval()
    x = torch.rand(8, 1, 320, 320)
    forward(model, x) # warm up
    ours, bare, maps = in_turns(model, x)
    theirs, (peers, _) = best(lambda: cam_maps(model, x, "GradCAM"), 1)
    difference = float((maps - peers).abs().max())
    relative = float((maps - peers).abs().max()/peers.max())
    # float32 has some 1e-7 a step, and DenseNet many steps
    assert difference < 1e-6 and relative < 1e-5, (difference, relative)
    table("DenseNet121, 320 px, batch 8, ten tasks, float32", {
        "pytorch-grad-cam, ten calls": f"{theirs:.2f} s",
        "chexseg, one pass": f"{ours:.2f} s",
        "bare forward pass": f"{bare:.2f} s",
        "largest difference": f"{difference:.1e}",
        "the same, over the largest value": f"{relative:.1e}"})
    verdict("saliency", theirs, ours, bare, difference=difference, relative_difference=relative)


if __name__ == "__main__":
    main()
