# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Franka-PushBottle on real physics: a bottle that stands, slides and tips, and a task that notices."""

from __future__ import annotations

import pytest
import torch

from mereq_algo.storage import transition_from_step
from mereq_tasks.push_bottle.bottle import BottleCfg
from mereq_tasks.push_bottle.push_bottle_env_cfg import HIGH_POSE, LOW_POSE

from .place import place
from .shipped_policies import evaluate_shipped

pytestmark = pytest.mark.sim


class ScriptedPusher:
    """All robots do the same at heights of their own."""

    def __init__(self, task) -> None:
        self.env = task.env
        self.unwrapped = task.env.unwrapped
        self.cfg = self.unwrapped.cfg
        self.bottle = self.unwrapped.scene["bottle"]
        self.goal = self.unwrapped.command_manager.get_term("goal")
        self.step_size = torch.tensor(self.cfg.actions.tool.step_size)

    def start_over(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.env.reset()

    def tool(self) -> torch.Tensor:
        robot = self.unwrapped.scene["robot"]
        body = robot.body_names.index("fingertips")
        return robot.data.body_pos_w.torch[:, body] - self.unwrapped.scene.env_origins

    def place_bottle(self, x: float, y: float, tilt: float = 0.0) -> None:
        """Puts all bottles at a place [m], upright or tilted about y [rad], at rest."""
        half = torch.tensor(tilt / 2)
        # On its edge when tilted: the lowest point of the body's rim touches the table.
        height = 0.5 * BottleCfg().height * torch.cos(2 * half) + BottleCfg().radius * torch.sin(2 * half).abs()
        place(self.unwrapped, "bottle", (x, y, float(height)), (0.0, float(half.sin()), 0.0, float(half.cos())))

    def position(self) -> torch.Tensor:
        return self.bottle.data.root_pos_w.torch - self.unwrapped.scene.env_origins

    def step_towards(self, target: torch.Tensor, speed: float = 1.0, may_topple: bool = False):
        action = ((target - self.tool()) / self.step_size).clamp(-speed, speed)
        obs, _, dones, extras = self.env.step(action)
        assert not extras["time_outs"].any(), "the script is longer than an episode"
        assert may_topple or not dones.any(), "a bottle fell over"
        self.fell = dones.bool()
        return obs


@pytest.fixture
def pusher(push_bottle_task) -> ScriptedPusher:
    pusher = ScriptedPusher(push_bottle_task)
    pusher.start_over()
    return pusher


def feature(pusher: ScriptedPusher, obs, name: str) -> torch.Tensor:
    return obs["features"][:, pusher.unwrapped.observation_manager.active_terms["features"].index(name)]


def test_a_bottle_that_nobody_touches_rests(pusher):
    before = pusher.position().clone()
    for _ in range(50):
        obs = pusher.env.step(torch.zeros(pusher.env.num_envs, 3))[0]
    assert (pusher.position() - before).norm(dim=1).max() < 1e-3
    assert feature(pusher, obs, "bottle_tilt").max() < 0.01
    assert (feature(pusher, obs, "push_height") == 0.0).all() and (feature(pusher, obs, "effort") == 0.0).all()


def test_to_touch_the_table_is_no_push(pusher):
    """It would be one at the best of heights: fingertips that go down as fast as they can reach it now and then."""
    pusher.place_bottle(0.65, 0.2)
    touched = torch.zeros(pusher.env.num_envs, dtype=torch.bool)
    for _ in range(40):
        obs = pusher.env.step(torch.tensor([0.2, -0.2, -1.0]).repeat(pusher.env.num_envs, 1))[0]
        assert (feature(pusher, obs, "push_height") == 0.0).all()
        touched |= feature(pusher, obs, "effort") > 0.0
    assert touched.any()


def test_pushed_low_it_slides_and_pushed_high_it_tips(pusher):
    """A cylinder of radius r that is pushed at height h slides on friction μ where h < r/μ, and tips where h > r/μ."""
    friction = bottle_friction(pusher)
    edge = BottleCfg().radius / friction  # 9 to 17 cm
    robots = torch.arange(pusher.env.num_envs)
    can_tip = 1.25 * edge < 0.14  # below the shoulder, at 15 cm
    high = can_tip & (robots % 2 == 0)
    heights = torch.where(high, 1.25 * edge, 0.5 * edge)
    assert 2 <= high.sum() < pusher.env.num_envs
    pusher.place_bottle(0.53, 0.0)
    start = torch.stack((torch.full_like(heights, 0.44), torch.zeros_like(heights), heights), dim=1)
    for _ in range(25):
        pusher.step_towards(start)
    # The whole takes longer than an episode.
    pusher.env.episode_length_buf = torch.zeros_like(pusher.env.episode_length_buf)
    target = start.clone()
    tilt, has_fallen = torch.zeros_like(heights), torch.zeros_like(high)
    for _ in range(55):
        target[:, 0] += 0.003  # 6 cm/s
        obs = pusher.step_towards(target, may_topple=True)
        has_fallen |= pusher.fell
        tilt = torch.where(has_fallen, tilt, torch.maximum(tilt, feature(pusher, obs, "bottle_tilt")))
    assert not has_fallen[~high].any()
    moved = pusher.position()[:, 0] - 0.53
    assert (tilt[~high] < 0.1).all() and (moved[~high] > 0.05).all(), "it slides, upright within 3 degrees"
    assert ((tilt > 0.3) | has_fallen)[high].all(), "it leans by more than 8 degrees or has fallen"


def test_a_bottle_that_falls_over_ends_the_episode_as_a_failure(pusher):
    # Beyond what stands up again: atan of its radius by half its height is 0.41.
    pusher.place_bottle(0.60, 0.1, tilt=0.7)
    fell = torch.zeros(pusher.env.num_envs, dtype=torch.bool)
    for _ in range(20):
        obs, rewards, dones, extras = pusher.env.step(torch.zeros(pusher.env.num_envs, 3))
        new = dones.bool() & ~fell
        features = transition_from_step(obs["policy"], obs["policy"], obs, rewards, dones, extras)["features"]
        is_told = features[:, pusher.unwrapped.observation_manager.active_terms["features"].index("toppled")]
        assert torch.equal(is_told, dones.float()), "of the very step, and of no other"
        assert not extras["time_outs"][new].any(), "what follows is not bootstrapped"
        names = pusher.unwrapped.observation_manager.active_terms["metrics"]
        final = extras["final_obs"]["metrics"] if new.any() else torch.zeros(pusher.env.num_envs, len(names))
        assert (final[new, names.index("toppled")] == 1.0).all() and (final[new, names.index("success")] == 0.0).all()
        assert (rewards[new] < -1.5).all(), "1.4 for a bottle that fell, and what it is off its spot"
        fell |= new
    assert fell.all()


def bottle_friction(pusher: ScriptedPusher) -> torch.Tensor:
    """The coefficient of the body that the solver steps with, robot by robot. Shape: (num_envs,)."""
    from isaaclab_newton.physics import NewtonManager

    pusher.env.step(torch.zeros(pusher.env.num_envs, 3))
    model = NewtonManager._solver.mjw_model
    size = torch.from_numpy(model.geom_size.numpy()).reshape(-1, model.ngeom, 3)[0]
    (body,) = torch.isclose(size[:, 0], torch.tensor(BottleCfg().radius)).nonzero().flatten().tolist()
    friction = torch.from_numpy(model.geom_friction.numpy()[:, body, 0].copy())
    low, high = pusher.cfg.events.bottle_friction.params["static_friction_range"]
    assert low <= friction.min() < friction.max() <= high
    return friction


def test_the_height_of_a_push_is_that_of_the_fingertips(pusher):
    pusher.place_bottle(0.50, 0.0)
    height = torch.full((pusher.env.num_envs,), 0.05)
    target = torch.stack((torch.full_like(height, 0.60), torch.zeros_like(height), height), dim=1)
    touched = torch.zeros(pusher.env.num_envs, dtype=torch.bool)
    for _ in range(40):
        aside = target.clone()
        aside[:, 0] = torch.minimum(target[:, 0], pusher.tool()[:, 0] + 0.01)
        obs = pusher.step_towards(aside)
        pushing = feature(pusher, obs, "push_height") > 0.0
        torch.testing.assert_close(feature(pusher, obs, "push_height")[pushing], (pusher.tool()[:, 2] / 0.2)[pushing])
        assert (feature(pusher, obs, "effort")[pushing] > 0.0).all()
        touched |= pushing
    assert touched.all()


@pytest.mark.parametrize(
    ("away", "tilt", "success", "toppled"),
    [(0.0, 0.0, 1.0, 0.0), (0.025, 0.0, 1.0, 0.0), (0.035, 0.0, 0.0, 0.0), (0.0, 1.57, 0.0, 1.0)],
    ids=["on the spot", "25 mm off", "35 mm off", "lying on it"],
)
def test_success_is_a_bottle_that_stands_on_its_spot(pusher, away, tilt, success, toppled):
    pusher.goal.command[:] = torch.tensor([0.60, 0.1])
    pusher.place_bottle(0.60 + away, 0.1, tilt)
    names = pusher.unwrapped.observation_manager.active_terms["metrics"]
    metrics = pusher.unwrapped.observation_manager.compute_group("metrics")
    assert (metrics[:, names.index("success")] == success).all()
    assert (metrics[:, names.index("toppled")] == toppled).all()


def test_a_script_pushes_the_bottle_to_its_spot(pusher):
    """From behind and near the base: it stands within 3 cm of the spot, and the metrics call that a success."""
    is_done = torch.zeros(pusher.env.num_envs, 1, dtype=torch.bool)
    for _ in range(pusher.env.max_episode_length - 3):
        place, way = pusher.position()[:, :2], pusher.goal.offset()
        distance = way.norm(dim=1, keepdim=True)
        is_done |= distance < 0.02
        ahead = way / distance
        from_tool = place - pusher.tool()[:, :2]
        along = (from_tool * ahead).sum(dim=1, keepdim=True)
        is_behind = (along > 0.0) & ((from_tool - along * ahead).norm(dim=1, keepdim=True) < 0.015)
        gap = BottleCfg().radius + 0.012 - 0.03 * is_behind
        target = torch.cat((place - gap * ahead, torch.full((len(place), 1), 0.03)), dim=1)
        pusher.step_towards(torch.where(is_done, pusher.tool(), target))
    names = pusher.unwrapped.observation_manager.active_terms["metrics"]
    success = pusher.unwrapped.observation_manager.compute_group("metrics")[:, names.index("success")]
    is_there = (pusher.position()[:, :2] - pusher.goal.command).norm(dim=1) < 0.03
    is_upright = pusher.goal.tilt() < 0.1
    assert torch.equal(success.bool(), is_there & is_upright)
    assert is_done.float().mean() >= 0.5 and success[is_done.flatten()].all(), "the others are on their way"


def test_shipped_policies_push_high_and_low(push_bottle_task):
    """Of 32 episodes each; their cards have 200."""
    found = evaluate_shipped(push_bottle_task, 32)
    assert found["prior"].success_rate.mean >= 0.8 and found["expert"].success_rate.mean >= 0.95
    heights = {name: evaluation.features["push_height"].mean for name, evaluation in found.items()}
    assert heights["expert"] < 0.1 < heights["prior"]


def test_starts_are_behind_the_bottle_and_as_high_as_low(pusher):
    heights = []
    for _ in range(10):
        pusher.env.reset()
        tool = pusher.tool()
        heights.append(tool[:, 2])
        assert (pusher.position()[:, 0] - tool[:, 0] > BottleCfg().radius + 0.015).all(), "no start in the bottle"
    heights = torch.cat(heights)
    assert 0.025 < heights.min() < 0.04 and 0.13 < heights.max() < 0.15 and heights.std() > 0.03


def test_the_two_poses_keep_the_hand_tilted_forward(pusher):
    """Everywhere between them, since the start of an episode lies there."""
    robot = pusher.unwrapped.scene["robot"]
    body = robot.body_names.index("fingertips")
    wanted = torch.tensor(pusher.cfg.actions.tool.orientation)
    for share in (0.0, 0.5, 1.0):
        position = robot.data.default_joint_pos.torch.clone()
        for name in LOW_POSE:
            position[:, robot.joint_names.index(name)] = LOW_POSE[name] + share * (HIGH_POSE[name] - LOW_POSE[name])
        robot.write_joint_position_to_sim_index(position=position)
        pusher.unwrapped.sim.forward()
        found = robot.data.body_quat_w.torch[:, body]
        assert ((found * wanted).sum(dim=1).abs() > 0.999).all()
