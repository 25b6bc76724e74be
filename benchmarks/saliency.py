"""Grad-CAM of ten tasks: one forward pass against ten calls of pytorch-grad-cam.   python -m benchmarks.saliency"""
import torch

from benchmarks.common import best, table, verdict
from chexseg.classifier import build_classifier
from chexseg.saliency import cam_maps, gradcam


def main():
    torch.manual_seed(0)
    model, x = build_classifier("densenet121", 10).eval(), torch.rand(8, 1, 320, 320)
    with torch.no_grad(): model(x)                                 # warm up
    ours, (maps, _) = best(lambda: gradcam(model, x))
    theirs, (peers, _) = best(lambda: cam_maps(model, x, "GradCAM"), 1)
    def forward():
        with torch.no_grad(): return model(x)
    bare, _ = best(forward)
    difference = float((maps - peers).abs().max()/peers.max())
    assert difference < 1e-6, difference
    table("DenseNet121, 320 px, batch 8, ten tasks, float32", {"pytorch-grad-cam, ten calls": f"{theirs:.2f} s", "chexseg, one pass": f"{ours:.2f} s",
          "bare forward pass": f"{bare:.2f} s", "largest relative difference": f"{difference:.1e}"})
    verdict("saliency", theirs, ours, bare, difference=difference)


if __name__ == "__main__": main()
