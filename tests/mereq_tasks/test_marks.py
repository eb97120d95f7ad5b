# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The arithmetic of touching and erasing, on numbers that the reader can redo: no simulator."""

from types import SimpleNamespace

import pytest
import torch

from mereq_tasks.erase.marks import Marks, MarksCfg
from mereq_tasks.erase.mdp import distance_to_ink, nearest_ink, nearest_untouched

STEP_DT = 0.05  # [s]


class FakeTool:
    """A felt and a force reading that a test sets by hand, in place of scene and robot."""

    def __init__(self, num_envs: int, num_physics_steps: int = 5) -> None:
        self.position = torch.zeros(num_envs, 1, 3)
        self.forces = torch.zeros(num_envs, num_physics_steps, 1, 3)
        identity = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(num_envs, 1, 4)
        robot = SimpleNamespace(
            data=SimpleNamespace(
                body_pos_w=SimpleNamespace(torch=self.position), body_quat_w=SimpleNamespace(torch=identity)
            )
        )
        sensor = SimpleNamespace(data=SimpleNamespace(net_forces_w_history=SimpleNamespace(torch=self.forces)))
        self.scene = _Scene(robot=robot, contact=sensor)
        self.env = SimpleNamespace(
            num_envs=num_envs, device="cpu", step_dt=STEP_DT, common_step_counter=0, scene=self.scene, sim=None
        )


class _Scene(dict):
    env_origins = torch.zeros(3)


def make_marks(num_envs: int = 1, **changes) -> tuple[Marks, FakeTool]:
    """Marks 1 cm apart along x from the origin; a felt of 4 cm by 10 cm.

    Ink begins to come off at 5 N; from 8 N on, 4 of a mark's ink a second.
    """
    tool = FakeTool(num_envs)
    cfg = MarksCfg(
        tool_cfg=SimpleNamespace(name="robot", body_ids=[0], resolve=lambda scene: None),
        tool_offset=(0.0, 0.0, 0.0),
        sensor_name="contact",
        footprint=(0.04, 0.10),
        num_marks=6,
        **{
            "erase_force": 5.0,
            "full_erase_force": 8.0,
            "wear_rate": 4.0,
            "touch_force": 0.3,
            "force_limit": 15.0,
            **changes,
        },
    )
    marks = Marks(cfg, tool.env)
    tool.env.command_manager = SimpleNamespace(get_term=lambda name: marks)
    marks._resample_command(slice(None))
    marks.position[..., 0] = 0.01 * torch.arange(6)
    marks.position[..., 1] = 0.0
    marks.touched.zero_()
    return marks, tool


def step(marks: Marks, tool: FakeTool, forces: list[float] | float, x: float = 0.0) -> None:
    """One step with the vertical force of each of the 5 physics steps [N] and the felt at x [m]."""
    tool.position[..., 0] = x
    tool.forces[..., 0, 2] = torch.as_tensor(forces)
    tool.env.common_step_counter += 1
    marks.refresh()


def test_ink_comes_off_at_the_wear_rate_under_the_felt_only():
    # 4 /s * 0.05 s = 0.2 of a mark's ink a step. The felt at x = 0 covers |x| <= 0.02: marks 0, 1 and 2 of 6.
    marks, tool = make_marks()
    step(marks, tool, 10.0)
    torch.testing.assert_close(marks.ink, torch.tensor([[0.8, 0.8, 0.8, 1.0, 1.0, 1.0]]))
    # Of 6 marks' ink 3 * 0.2 went: 0.1 of all.
    torch.testing.assert_close(marks.ink_removed, torch.tensor([0.1]))
    # At x = 0.03 it covers 0.01 to 0.05: marks 1 to 5.
    step(marks, tool, 10.0, x=0.03)
    torch.testing.assert_close(marks.ink, torch.tensor([[0.8, 0.6, 0.6, 0.8, 0.8, 0.8]]))


@pytest.mark.parametrize(("force", "ink"), [(5.3, 0.98), (6.5, 0.9), (8.0, 0.8), (14.0, 0.8)])
def test_ink_comes_off_faster_under_more_force_up_to_the_full_rate(force, ink):
    # 0.2 a step times (5.3 - 5) / (8 - 5) = 0.1 makes 0.02; 6.5 N is half way, 0.1; from 8 N on it is all of 0.2.
    marks, tool = make_marks()
    step(marks, tool, force)
    torch.testing.assert_close(marks.ink[0, :3], torch.full((3,), ink))


def test_trace_that_nobody_sees_counts_as_gone():
    # At 7.85 N a step removes 0.2 * 0.95 = 0.19: after five steps 0.05 is left, after a sixth nothing; with a limit of
    # 0.06 the five are enough, and all of the ink counts as removed.
    for clean_ink, left in ((0.01, 0.05), (0.06, 0.0)):
        marks, tool = make_marks(clean_ink=clean_ink)
        for _ in range(5):
            step(marks, tool, 7.85)
        torch.testing.assert_close(marks.ink[0, :3], torch.full((3,), left), atol=1e-6, rtol=0.0)
        assert marks.metrics["ink_removed"].item() == pytest.approx(0.5 * (1.0 - left))


@pytest.mark.parametrize("force", [0.0, 0.2, 4.9, 5.0])
def test_no_ink_comes_off_up_to_the_threshold_however_long(force):
    marks, tool = make_marks()
    for _ in range(50):
        step(marks, tool, force)
    assert (marks.ink == 1.0).all()
    assert marks.touched[0].tolist() == [force > 0.3] * 3 + [False] * 3


def test_force_is_the_mean_over_the_physics_steps_of_an_action():
    # One blow of 20 N in 5 readings is 4 N, below the threshold; 30 N are 6 N, above it.
    marks, tool = make_marks()
    step(marks, tool, [0.0, 20.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(marks.normal_force, torch.tensor([4.0]))
    assert (marks.ink == 1.0).all()
    step(marks, tool, [0.0, 30.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(marks.normal_force, torch.tensor([6.0]))
    assert (marks.ink[0, :3] < 1.0).all()


def test_pulling_force_does_not_count():
    marks, tool = make_marks()
    step(marks, tool, -10.0)
    assert (marks.normal_force == 0.0).all()
    assert not marks.touched.any()


def test_ink_never_falls_below_zero_and_the_shares_add_up():
    # A mark is clean after 1 / 0.2 = 5 steps.
    marks, tool = make_marks()
    total = torch.zeros(1)
    for number in range(1, 10):
        step(marks, tool, 10.0)
        total += marks.ink_removed
        assert (marks.ink[0, :3] > 0.0).all() == (number < 5)
    assert marks.ink[0, :3].tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(total, torch.tensor([0.5]))
    torch.testing.assert_close(marks.metrics["ink_removed"], torch.tensor([0.5]))


def test_mark_counts_as_newly_touched_once():
    marks, tool = make_marks()
    step(marks, tool, 1.0)
    assert marks.newly_touched.item() == 3.0
    step(marks, tool, 1.0)
    assert marks.newly_touched.item() == 0.0
    step(marks, tool, 1.0, x=0.01)  # covers -0.01 to 0.03: mark 3 is new
    assert marks.newly_touched.item() == 1.0


def test_readers_of_one_step_see_one_update():
    marks, tool = make_marks()
    step(marks, tool, 10.0)
    for _ in range(3):
        assert marks.ink[0, 0].item() == pytest.approx(0.8)
        marks.refresh()


def test_success_needs_the_ink_gone_and_the_limit_kept():
    # 6 marks on 5 cm: at x = 0.02 and 0.03 the felt covers all of them in turn. 20 N exceed the limit of 15 N.
    for num_over, success in ((0, 1.0), (1, 0.0)):
        marks, tool = make_marks(success_over_force_limit=0.02)
        for index in range(12):
            step(marks, tool, 20.0 if index < num_over else 10.0, x=0.02 if index % 2 else 0.03)
        assert marks.metrics["ink_removed"].item() == 1.0
        assert marks.metrics["over_force_limit"].item() == pytest.approx(num_over / 12)
        assert marks.metrics["success"].item() == success


def test_robots_do_not_share_marks():
    marks, tool = make_marks(num_envs=3)
    tool.forces[1, :, 0, 2] = 10.0
    tool.env.common_step_counter += 1
    assert (marks.ink[[0, 2]] == 1.0).all()
    assert (marks.ink[1, :3] < 1.0).all()


def test_resampling_renews_the_chosen_robots_only():
    marks, tool = make_marks(num_envs=4)
    step(marks, tool, 10.0)
    before = marks.position.clone()
    marks._resample_command(torch.tensor([1, 3]))
    assert (marks.ink[[1, 3]] == 1.0).all() and (marks.ink[[0, 2], 0] < 1.0).all()
    assert torch.equal(marks.position[[0, 2]], before[[0, 2]])
    assert not torch.equal(marks.position[[1, 3]], before[[1, 3]])


def test_strokes_stay_within_the_configured_ranges():
    torch.manual_seed(0)
    marks, _ = make_marks(num_envs=2000, touched_before=0.3)
    marks._resample_command(slice(None))
    length = marks.position.diff(dim=1).norm(dim=2).sum(dim=1)
    low, high = marks.cfg.stroke_length
    # Along the axis of a stroke the marks are evenly spaced; its bend makes it a little longer.
    assert (length >= low - 1e-5).all() and (length <= 1.15 * high).all()
    middle = marks.position[:, 2:4].mean(dim=1)
    assert (middle[:, 0] >= marks.cfg.centre_x[0] - 0.01).all() and (middle[:, 0] <= marks.cfg.centre_x[1] + 0.01).all()
    assert (middle[:, 1] >= marks.cfg.centre_y[0] - 0.01).all() and (middle[:, 1] <= marks.cfg.centre_y[1] + 0.01).all()
    # Where a part counts as touched, it is one piece from the first mark on.
    touched = marks.touched
    assert (touched[:, 1:] <= touched[:, :-1]).all()
    # A part of 0 marks is drawn in 1 of 7 of those episodes: 0.3 * 6/7 = 0.257.
    assert touched.any(dim=1).float().mean().item() == pytest.approx(0.257, abs=0.03)


def test_nearest_marks_are_seen_from_the_tool():
    marks, tool = make_marks()
    step(marks, tool, 10.0, x=-0.01)  # covers -0.03 to 0.01: marks 0 and 1
    torch.testing.assert_close(nearest_untouched(tool.env), torch.tensor([[0.03, 0.0, 1.0]]))
    torch.testing.assert_close(nearest_ink(tool.env), torch.tensor([[0.01, 0.0, 1.0]]))
    for _ in range(8):
        step(marks, tool, 10.0, x=-0.01)
    torch.testing.assert_close(nearest_ink(tool.env), torch.tensor([[0.03, 0.0, 1.0]]))
    for _ in range(8):
        step(marks, tool, 10.0, x=0.03)
    torch.testing.assert_close(nearest_ink(tool.env), torch.tensor([[0.0, 0.0, 0.0]]))


def test_distance_to_ink_counts_every_mark_by_its_ink():
    marks, tool = make_marks()
    # Marks at 0, 1, ..., 5 cm from the felt: 2.5 cm on average, of 20 cm.
    step(marks, tool, 0.0)
    torch.testing.assert_close(distance_to_ink(tool.env, 0.0, 0.2), torch.tensor([[0.125]]))
    # A step at full force takes a fifth of the ink of those at 0, 1 and 2 cm: (0.8 * (0 + 1 + 2) + 3 + 4 + 5) / 6 cm.
    step(marks, tool, 10.0)
    torch.testing.assert_close(distance_to_ink(tool.env, 0.0, 0.2), torch.tensor([[0.12]]))
    # All gone there, and the felt at 3 cm: (0 + 1 + 2) / 6 cm. Then, 4 cm higher, of one mark at 3 cm.
    for _ in range(4):
        step(marks, tool, 10.0)
    step(marks, tool, 0.0, x=0.03)
    torch.testing.assert_close(distance_to_ink(tool.env, 0.0, 0.2), torch.tensor([[0.025]]))
    step(marks, tool, 0.0, x=0.0)
    marks.ink[:, 4:] = 0.0
    torch.testing.assert_close(distance_to_ink(tool.env, -0.04, 0.2), torch.tensor([[0.05 / 6 / 0.2]]))
