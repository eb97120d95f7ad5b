# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""An arm that is not there: a controller that speaks libfranka's protocol on loopback, with real contact."""
