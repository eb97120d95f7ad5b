# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""With how many digits updates multiply matrices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

PRECISIONS = ("highest", "high", "medium")
"""``highest`` is float32. On a GPU these are the names of ``torch.set_float32_matmul_precision``: ``high`` is TF32 (10
bits), ``medium`` may be bfloat16 (7 bits). On a CPU ``high`` is float32, ``medium`` bfloat16 save in last layers."""


@contextlib.contextmanager
def matmul_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Let products of matrices have a precision, and give those after it the one that they had.

    Args:
        precision: One of :obj:`PRECISIONS`.
        device: Where the products are made. PyTorch's setting is of the process: the simulation keeps its digits.
    """
    if device.type == "cpu":
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "medium"):
            yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
