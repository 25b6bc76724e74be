"""Grad-CAM of ten tasks: one forward pass against ten calls of pytorch-grad-cam.   python -m benchmarks.saliency"""
import torch

from benchmarks.common import best, table, verdict
from chexseg.classifier import build_classifier
from chexseg.saliency import cam_maps, gradcam


def main():
    torch.manual_seed(0)
    model, x = build_classifier("densenet121", 10).eval(), torch.rand(8, 1, 320, 320)
    with torch.no_grad(): model(x)                                 # warm up
    def forward():
        with torch.no_grad(): return model(x)
    turns = [(best(lambda: gradcam(model, x), 1), best(forward, 1)) for _ in range(8)]   # in turns: a processor's pace changes
    ours, bare = (min(t[k][0] for t in turns) for k in (0, 1)); maps = turns[-1][0][1][0]
    theirs, (peers, _) = best(lambda: cam_maps(model, x, "GradCAM"), 1)
    difference, relative = float((maps - peers).abs().max()), float((maps - peers).abs().max()/peers.max())
    assert difference < 1e-6 and relative < 1e-5, (difference, relative)   # float32 has some 1e-7 a step, and DenseNet many steps
    table("DenseNet121, 320 px, batch 8, ten tasks, float32", {"pytorch-grad-cam, ten calls": f"{theirs:.2f} s", "chexseg, one pass": f"{ours:.2f} s",
          "bare forward pass": f"{bare:.2f} s", "largest difference": f"{difference:.1e}", "the same, over the largest value": f"{relative:.1e}"})
    verdict("saliency", theirs, ours, bare, difference=difference, relative_difference=relative)


if __name__ == "__main__": main()
