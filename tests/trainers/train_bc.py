# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Trains robomimic's BC for a few steps with its own train script.

Arguments: the dataset, and a folder for what it writes.
"""

from __future__ import annotations

import sys

import robomimic.scripts.train as train_script  # pyright: ignore[reportMissingImports]
import torch
from robomimic.config import config_factory  # pyright: ignore[reportMissingImports]

config = config_factory("bc")
with config.values_unlocked():
    config.train.data, config.train.output_dir = sys.argv[1:]
    config.train.hdf5_filter_key, config.train.hdf5_validation_filter_key = "train", "valid"
    config.train.num_epochs, config.train.batch_size = 2, 16
    config.train.cuda, config.train.num_data_workers = False, 0
    config.experiment.name = "bc"
    config.experiment.validate = True
    config.experiment.save.every_n_epochs = 1
    config.experiment.epoch_every_n_steps = config.experiment.validation_epoch_every_n_steps = 3
    config.experiment.rollout.enabled = False
    config.observation.modalities.obs.low_dim = ["policy"]
    config.algo.actor_layer_dims = (32, 32)
config.lock()
train_script.train(config, device=torch.device("cpu"))
