# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whom the synthetic person of Franka-PickPlace takes the arm from."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from mereq_algo.networks import TrainedPolicy, load_checkpoint
from mereq_algo.runner import MEReQCfg, make_person
from mereq_tasks.launch import settings_of
from mereq_tasks.shipped import shipped_policy

from .gripper import OPEN

pytestmark = pytest.mark.sim

TASK = "Franka-PickPlace"


@torch.no_grad()
def test_the_person_takes_over_from_robots_that_stand_still(gripper):
    """A hand that hovers costs the person too little in any step, but adds up; what they do never does.

    Half of the robots act as the person, the others only until they are above the parcel. Of those the person takes
    over three of four, and one of four if nothing adds up.
    """
    cfg = MEReQCfg.from_dict(settings_of(TASK, "--device", "cpu").agent).person
    expert = TrainedPolicy(*load_checkpoint(shipped_policy(TASK, "expert")))
    lenient = replace(cfg, hysteresis=replace(cfg.hysteresis, cusum_limit=math.inf))
    persons = [make_person(each, expert, gripper.num, 0, "cpu") for each in (cfg, lenient)]

    gripper.start_over(5)
    stands_still = torch.arange(gripper.num) % 2 == 0
    is_over = torch.zeros(gripper.num, dtype=torch.bool)
    has_taken_over = torch.zeros(2, gripper.num, dtype=torch.bool)
    stay = torch.tensor([0.0, 0.0, 0.0, 0.0, OPEN])
    generator = torch.Generator().manual_seed(0)
    obs = gripper.env.get_observations()
    for step in range(95):
        action = expert.policy.sample(obs["policy"], generator)[0]
        if step >= 10:
            action[stands_still] = stay
        for taken, person in zip(has_taken_over, persons, strict=True):
            taken |= person.observe(obs, action).in_control & ~is_over
        obs, _, dones, _ = gripper.env.step(action)
        is_over |= dones.bool()
    idle, own = has_taken_over[:, stands_still].float().mean(1), has_taken_over[:, ~stands_still].float().mean(1)
    assert idle[0] > 0.6 and idle[1] < 0.4
    assert own[0] == 0.0
