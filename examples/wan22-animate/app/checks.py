"""handler.py --check: smoke tests of an image; one line per problem."""

import embed
import modellist
import versions
from errors import StartError
from settings import Model, Settings

NUMBERS = 1000
CUDA = "CUDAExecutionProvider"


def run(what: str, deep: bool, settings: Settings) -> int:
    """Print the problems, or what was checked; return the exit code."""
    checks = {
        "versions": check_versions, "model": lambda: check_models(settings, deep), "prompt": check_prompt, "gpu": check_gpu,
    }  # fmt: skip
    try:
        problems, said = checks[what]()
    except StartError as err:
        problems, said = [str(err)], ""
    for problem in problems:
        print(f"{what}: {problem}")
    if not problems:
        print(f"{what}: {said}")
    return 1 if problems else 0


def check_versions() -> tuple[list[str], str]:
    """Return the versions that don't fit."""
    found = versions.installed()
    return versions.problems(found), f"{len(found)} distributions are compatible"


def check_models(settings: Settings, deep: bool) -> tuple[list[str], str]:
    """Return the weights that are missing or cut off or, with deep, have other content."""
    results = [_check_model(one, deep) for one in settings.models]
    return [problem for problems, _ in results for problem in problems], "; ".join(said for _, said in results)


def _check_model(model: Model, deep: bool) -> tuple[list[str], str]:
    found, directory = modellist.read(model.list), model.path
    about = f"{len(found.files)} files, {found.size} bytes, of {found.origin}"
    if not directory.is_dir():
        return [], f"the list is valid: {about}; there are no weights in the image"
    problems = modellist.lacking(directory, found)
    if deep and not problems:
        problems = modellist.damaged(directory, found)
    return problems, f"complete{' and intact' if deep else ''}: {about}"


def check_prompt() -> tuple[list[str], str]:
    """Return the problems of the prompt of an image without the text encoder; it is read as for a job."""
    return [], ", ".join(f"{prompt!r} in {rows.shape[0]} rows" for prompt, rows in embed.read(embed.FILE).items())


def check_gpu() -> tuple[list[str], str]:
    """Return the GPU's problems; a first kernel must run and give the right result."""
    try:
        import torch
    except ImportError as err:
        return [f"torch can't be imported: {err}"], ""
    if not torch.cuda.is_available():
        return ["torch sees no GPU: start the container with one (--gpus all)"], ""
    wanted = NUMBERS * (NUMBERS - 1) // 2
    got = int(torch.arange(NUMBERS, device="cuda").sum().item())
    if got != wanted:
        return [f"the sum of {NUMBERS} numbers is {got} on the GPU, not {wanted}"], ""
    return _check_onnx(), f"{torch.cuda.get_device_name(0)}, a first kernel computes correctly"


def _check_onnx() -> list[str]:
    """Return what keeps preprocessing's detectors off the GPU: they would silently run on the CPU."""
    try:
        import numpy
        import onnxruntime
    except ImportError as err:
        return [f"onnxruntime can't be imported: {err}"]
    if CUDA not in onnxruntime.get_available_providers():
        return ["onnxruntime has no CUDA support: install onnxruntime-gpu, without onnxruntime next to it"]
    # It may have the provider but fail to load it: then it falls back without an error.
    session = onnxruntime.InferenceSession(_doubling(), providers=[CUDA])
    if session.get_providers()[0] != CUDA:
        return ["onnxruntime can't load CUDA and falls back to the CPU: its log names the missing library"]
    got = session.run(None, {"x": numpy.full(1, NUMBERS, numpy.float32)})[0][0]
    return [] if got == 2 * NUMBERS else [f"{NUMBERS} doubled is {got} in onnxruntime on the GPU"]


def _doubling() -> bytes:
    """Return an ONNX model whose y is x + x."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()
