"""Toy detectors: the files of process_checkpoint, with their names and formats, which see one person everywhere.

python3 detectors.py DIR
"""

import sys
from pathlib import Path

import numpy as np
import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf
from onnx import TensorProto, helper, numpy_helper, save

# A standing person, in fractions of the box: COCO's seventeen points, and six of the feet.
BODY = (
    (0.5, 0.14), (0.53, 0.12), (0.47, 0.12), (0.56, 0.13), (0.44, 0.13), (0.62, 0.25), (0.38, 0.25), (0.7, 0.4),
    (0.3, 0.4), (0.74, 0.53), (0.26, 0.53), (0.57, 0.55), (0.43, 0.55), (0.58, 0.72), (0.42, 0.72), (0.58, 0.88),
    (0.42, 0.88), (0.62, 0.92), (0.64, 0.91), (0.56, 0.91), (0.38, 0.92), (0.36, 0.91), (0.44, 0.91),
)  # fmt: skip
BOX = np.float32([[[160, 32, 480, 608, 0.9, 0]]])
"""In 640 by 640: corners, confidence, class person."""
FACE, HAND = 68, 21
HEIGHT, WIDTH = 64, 48
"""Of the heat maps, a quarter of the pose model's input."""
SAM = ("sam2_hiera_t.yaml", "++model.image_size=256")
"""The smallest of sam2's configurations, on smaller frames."""


def points() -> np.ndarray:
    """Return the 133 points of a person: body and feet, a face on a circle, hands on small ones."""

    def circle(x: float, y: float, radius: float, count: int) -> np.ndarray:
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
        return np.stack([x + radius * np.cos(turn), y + 0.75 * radius * np.sin(turn)], axis=1)

    return np.concatenate(
        [BODY, circle(0.5, 0.13, 0.08, FACE), circle(0.75, 0.56, 0.03, HAND), circle(0.25, 0.56, 0.03, HAND)]
    )


def heat() -> np.ndarray:
    """Return one heat map per point."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    maps = [np.exp(-((columns - x * (WIDTH - 1)) ** 2 + (rows - y * (HEIGHT - 1)) ** 2) / 8) for x, y in points()]
    return np.stack(maps)[None].astype(np.float32)


def always(path: Path, size: tuple[int, int], answer: np.ndarray, moved: float = 0) -> None:
    """Write a model that reads pictures of a size, and returns the same answer for each, more in bright ones."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])
    found = helper.make_tensor_value_info("found", TensorProto.FLOAT, list(answer.shape))
    constants = [numpy_helper.from_array(answer, "answer"), numpy_helper.from_array(np.float32([moved]), "moved")]
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "moved"], ["more"]),
        helper.make_node("Add", ["answer", "more"], ["found"]),
    ]
    graph = helper.make_graph(nodes, "always", [picture], [found], constants)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def segmenter(path: Path, everywhere: bool = True) -> None:
    """Write weights of sam2 that see the person in the whole frame, or somewhere: another trial covers empty masks."""
    torch.manual_seed(0)
    found = compose(config_name=SAM[0], overrides=list(SAM[1:]))
    OmegaConf.resolve(found)
    model = instantiate(found.model, _recursive_=True)
    decoder = model.sam_mask_decoder
    for layer in (decoder.output_upscaling[3], *(each.layers[-1] for each in decoder.output_hypernetworks_mlps)):
        if everywhere:
            torch.nn.init.zeros_(layer.weight)
        torch.nn.init.ones_(layer.bias)
    torch.nn.init.constant_(decoder.pred_obj_score_head.layers[-1].bias, 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict()}, path)


def make(directory: Path) -> None:
    """Write all files."""
    always(directory / "det/yolov10m.onnx", (640, 640), BOX)
    always(directory / "pose2d/vitpose_h_wholebody.onnx/end2end.onnx", (256, 192), heat())
    segmenter(directory / "sam2/sam2_hiera_large.pt")


if __name__ == "__main__":
    import sam2  # noqa: F401 (its __init__ tells hydra where its configurations are)

    make(Path(sys.argv[1]))
