# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""One thread: networks this small only wait for each other on more."""

import torch

torch.set_num_threads(1)
