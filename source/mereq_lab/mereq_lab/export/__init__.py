# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies as files that run without this project: TorchScript and ONNX."""

from .agreement import ExportError, check_agreement, corner_observations
from .deployable import DeterministicPolicy, SamplingPolicy
from .write import ExportedModel, write_model

__all__ = [
    "DeterministicPolicy",
    "ExportError",
    "ExportedModel",
    "SamplingPolicy",
    "check_agreement",
    "corner_observations",
    "write_model",
]
