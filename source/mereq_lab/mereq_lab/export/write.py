# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Writes a network as TorchScript and ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from mereq_algo.atomic_write import write_buffered

from .deployable import DeterministicPolicy, SamplingPolicy

OPSET = 18
"""Of ONNX: what onnxruntime has read since 1.14, of early 2023, so that an older machine beside an arm reads it."""


@dataclass(frozen=True)
class ExportedModel:
    """A network and where its files are."""

    module: DeterministicPolicy | SamplingPolicy
    torchscript: Path
    onnx: Path


def write_model(module: DeterministicPolicy | SamplingPolicy, folder: Path, name: str) -> ExportedModel:
    """Write ``<name>.pt`` (TorchScript) and ``<name>.onnx`` for batches of any size.

    Args:
        module: The network; it is moved to the CPU.
        folder: Where the files go.
        name: Their name.

    Raises:
        WriteError: The disk is full, say.
    """
    module = module.cpu().eval()
    batch = torch.export.Dim("batch")
    widths = {"observation": module.policy.num_obs, "noise": module.policy.num_actions}
    inputs = tuple(torch.zeros(2, widths[name]) for name in module.inputs)
    exported = ExportedModel(module, folder / f"{name}.pt", folder / f"{name}.onnx")
    with torch.no_grad(), _without_chatter():
        script = torch.jit.freeze(torch.jit.trace(module, inputs))
        program = torch.onnx.export(
            module,
            inputs,
            input_names=list(module.inputs),
            output_names=list(module.outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            verbose=False,
        )
        assert program is not None  # as it is with dynamo
        write_buffered(exported.torchscript, lambda stream: torch.jit.save(script, stream))
        write_buffered(exported.onnx, lambda stream: stream.write(program.model_proto.SerializeToString()))
    return exported


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps torch's exporter from telling about opsets and deprecations of its own."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
