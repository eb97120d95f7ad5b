# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The dead-man switch and the stop key: a small process of its own between a person's hand and the guard.

It needs the standard library alone, so that it starts at once and nothing else keeps it from looking at the keys.
"""
