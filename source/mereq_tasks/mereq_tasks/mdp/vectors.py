# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Vectors from a configuration, as tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from isaaclab.utils.math import quat_apply


def constant(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    """Returns numbers as a tensor that nobody may write to, of the type and on the device of another one.

    To send them to a GPU in every step is to wait for it in every step: it is done once.

    Args:
        values: The numbers.
        like: The other tensor.

    Returns:
        Shape: (len(values),)
    """
    return _constant(tuple(values), like.dtype, like.device)


def rotate(rotation: torch.Tensor, vector: Sequence[float]) -> torch.Tensor:
    """Returns a constant vector of bodies in the frame that their rotation is from.

    Args:
        rotation: Quaternions of the bodies [xyzw]. Shape: (num_envs, 4)
        vector: The vector in each body's own frame.

    Returns:
        Shape: (num_envs, 3)
    """
    return quat_apply(rotation, constant(vector, rotation).expand(len(rotation), 3))


@functools.cache
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype, device=device)
