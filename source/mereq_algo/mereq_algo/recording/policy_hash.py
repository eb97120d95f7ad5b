# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Names a policy by its weights."""

from __future__ import annotations

import hashlib

from ..networks import GaussianPolicy


def policy_hash(policy: GaussianPolicy) -> str:
    """Return the SHA-256 of a policy's weights, normaliser included: the same on every device, in every file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(policy.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
