"""Folder of an exported model: the program in one or several formats, and its signature.

model.stablehlo   the program for JAX on CPU, CUDA and TPU (`jax.export`)
model.onnx        the same for ONNX Runtime, where asked for
signature.json    inputs, outputs, what the caller does, a hash of each file; written last
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from sleepjax import __version__
from sleepjax.data.store_files import read_json
from sleepjax.export import onnx, program
from sleepjax.io import replacing, write_json
from sleepjax.member import outputs
from sleepjax.predict import Predictor
from sleepjax.types import InputError

SIGNATURE = "signature.json"
STABLEHLO, ONNX = "model.stablehlo", "model.onnx"
FORMAT = 1
PLATFORMS = ("cpu", "cuda", "tpu")

INPUTS = [
    {"name": name, "dtype": dtype, "shape": ["B", "T"], "meaning": meaning}
    for name, dtype, meaning in (
        ("clock", "int32", "seconds of the local wall clock since 2000-01-01T00:00:00"),
        ("anglez", "float32", "angle of the arm in degrees, -90 to 90; NaN where not measured"),
        ("enmo", "float32", "movement in g (not mg); NaN where not measured"),
    )
]
CALLER = (
    "Rows are 5 seconds apart without gaps: a missing row is NaN, its clock continues. Finer "
    "samples are averaged before. B whole recordings of one length T; every other one in its own "
    "call."
)
PROGRAM = (
    "Masks impossible values, sensors that do not work and six hours without a turn of the arm, "
    "computes the features, cuts overlapping windows, and puts the probabilities together."
)

Program = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(clock, anglez, enmo), each [B,T] -> probabilities [B,T,K]."""


def write(folder: Path, predictor: Predictor, formats: Sequence[str] = (STABLEHLO,)) -> dict:
    """Write the program of a predictor in these formats and the signature, which is returned."""
    made = {STABLEHLO: stablehlo, ONNX: onnx.converted}
    function = program.of(predictor)
    contents = {name: made[name](function) for name in formats}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGNATURE).unlink(missing_ok=True)
    for name, content in contents.items():
        with replacing(folder / name) as partial:
            partial.write_bytes(content)
    names = outputs(predictor.members)
    output = {"name": "probabilities", "dtype": "float32", "shape": ["B", "T", len(names)]}
    signature = {
        "format": FORMAT,
        "sleepjax": __version__,
        "jax": jax.__version__,
        "calling_convention": export.maximum_supported_calling_convention_version,
        "platforms": list(PLATFORMS),
        "inputs": INPUTS,
        "outputs": [output | {"classes": list(names)}],
        "caller": CALLER,
        "program": PROGRAM,
        "simulated": bool(predictor.run["simulated"]),
        "spread": predictor.spread,
        "files": {name: facts(content) for name, content in contents.items()},
    }
    write_json(folder / SIGNATURE, signature)
    return signature


def facts(content: bytes) -> dict[str, Any]:
    """Size and hash of a file's content."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def stablehlo(function: program.Program) -> bytes:
    """The program for all `PLATFORMS`, batch and length symbolic."""
    shapes = export.symbolic_shape("b, t")
    arguments = [jax.ShapeDtypeStruct(shapes, jnp.dtype(one["dtype"])) for one in INPUTS]
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
    return bytes(exported.serialize())


def read_signature(folder: Path) -> dict[str, Any]:
    """The signature of an exported model. Raises InputError where it is none this one reads."""
    path = folder / SIGNATURE
    signature = read_json(path)
    if signature is None:
        raise InputError(
            f"{folder} is not an exported model: {SIGNATURE} is missing or damaged; "
            "scripts/export.py writes one."
        )
    if signature.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {signature.get('format')!r}, this sleepjax reads {FORMAT}; export "
            "the model again."
        )
    if missing := {"files", "inputs", "outputs", "jax", "calling_convention"} - signature.keys():
        raise InputError(
            f"{path} lacks {', '.join(sorted(missing))}: it is damaged; export the model again."
        )
    return signature


def read(folder: Path, name: str = STABLEHLO) -> Program:
    """The program (`STABLEHLO` or `ONNX`) of an exported model, as a function of NumPy arrays.

    Raises InputError for a folder or file that is foreign, damaged, or too old for this JAX.
    """
    signature = read_signature(folder)
    path = folder / name
    if name not in signature["files"] or not path.is_file():
        there = [name for name in signature["files"] if (folder / name).is_file()]
        raise InputError(
            f"{folder} holds no {name}, {'only ' + ', '.join(there) if there else 'nor another'}; "
            "export it again."
        )
    content = path.read_bytes()
    if facts(content) != signature["files"][name]:
        raise InputError(
            f"{path} is not the file that {SIGNATURE} belongs to, or was damaged (the hash "
            "differs); export or copy it again."
        )
    return onnx.runner(content) if name == ONNX else _stablehlo_runner(content, signature, path)


def _stablehlo_runner(content: bytes, signature: dict[str, Any], path: Path) -> Program:
    oldest = export.minimum_supported_calling_convention_version
    newest = export.maximum_supported_calling_convention_version
    version = signature["calling_convention"]
    if not oldest <= version <= newest:
        raise InputError(
            f"{path} has expired: jax {signature['jax']} wrote it with calling convention "
            f"{version}, and jax {jax.__version__} runs {oldest} to {newest}; export it again."
        )
    try:
        exported = export.deserialize(bytearray(content))
    except Exception as error:  # what JAX raises depends on what has changed
        line = str(error).partition("\n")[0]
        raise InputError(
            f"{path}, written by jax {signature['jax']}, cannot be read by jax "
            f"{jax.__version__} ({line}); export it again."
        ) from None
    call = jax.jit(exported.call)
    return lambda clock, anglez, enmo: np.asarray(call(clock, anglez, enmo))
