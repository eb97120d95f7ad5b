# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Drives a Franka Research 3 with an exported policy. Needs numpy, onnxruntime and libfranka's client, nothing else."""
