# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""MEReQ: aligns a policy with a person's wishes from a few interventions, on any rsl_rl ``VecEnv``."""
