# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The exported network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from .contract import Contract, ContractError, check_file


class OnnxPolicy:
    """A deterministic policy that runs in onnxruntime, on one thread: a small network is no faster on more."""

    def __init__(self, folder: Path, contract: Contract, name: str = "policy") -> None:
        """Load the network.

        Args:
            folder: Where the exported files are.
            contract: Their contract.
            name: Which of its models.

        Raises:
            ContractError: The model is missing, damaged or no policy of this contract.
        """
        model = contract.models.get(name)
        if model is None or model.kind != "deterministic" or "onnx" not in model.files:
            raise ContractError(f"no deterministic ONNX model {name!r}; the contract has {', '.join(contract.models)}")
        entry = model.files["onnx"]
        check_file(folder / entry["name"], entry["sha256"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                folder / entry["name"], options, providers=["CPUExecutionProvider"]
            )
            shapes = [tensor.shape for tensor in (self._session.get_inputs()[0], self._session.get_outputs()[0])]
            names = [tensor.name for tensor in self._session.get_inputs()]
            found = tuple(shape[1] for shape in shapes)
        except Exception as error:  # onnxruntime raises classes of its own, without a common base
            raise ContractError(
                f"model file is no network that can be run: {folder / entry['name']} ({_first_line(error)})"
            ) from error
        self._input = model.inputs[0]
        if names != [self._input]:
            raise ContractError(f"model {name} has inputs {names}, the contract says {model.inputs}")
        if found != (contract.num_obs, contract.num_actions):
            raise ContractError(
                f"model {name} maps {found[0]} to {found[1]} numbers, the contract says {contract.num_obs} to"
                f" {contract.num_actions}"
            )
        try:
            action = self(np.zeros(contract.num_obs, dtype=np.float32))
        except Exception as error:  # as above
            raise ContractError(f"model {name} does not run: {_first_line(error)}") from error
        if action.shape != (contract.num_actions,) or not np.isfinite(np.asarray(action, dtype=float)).all():
            raise ContractError(f"model {name} answers an observation of zeros with {action}")

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return the action for an observation. Shapes: (num_obs,) and (num_actions,)."""
        return np.asarray(self._session.run(None, {self._input: observation[None]})[0])[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
