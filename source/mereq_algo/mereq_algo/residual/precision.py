# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Products of matrices in bfloat16, where a processor has instructions for them."""

from __future__ import annotations

import contextlib

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device is a CPU that multiplies in bfloat16 (x86-64 with AVX512-BF16 or AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def rounded_products(is_rounded: bool) -> contextlib.AbstractContextManager:
    """Let networks multiply matrices in bfloat16 on a CPU, save in their last layers, or let them be.

    Weights, normalisation and everything else stay float32.
    """
    return torch.autocast("cpu", torch.bfloat16) if is_rounded else contextlib.nullcontext()
