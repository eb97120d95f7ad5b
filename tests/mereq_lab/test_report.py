# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The report of a run: what it shows is what the run has noted, whatever that is."""

from __future__ import annotations

import copy
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mereq_algo.methods import METHODS
from mereq_algo.records import RunFolder, RunRecord
from mereq_lab.report import write_report
from mereq_lab.report.page import LEARNED
from mereq_lab.report.plots import feature_plots, intervention_plot, theta_plot

NAMES = ["normal_force", "tool_speed"]


def evaluation(success: float) -> dict[str, Any]:
    def estimate(mean: float | None, stderr: float | None = 0.01) -> dict[str, float | None]:
        return {"mean": mean, "stderr": stderr}

    return {
        "episodes": 40,
        "success_rate": estimate(success),
        "return_prior_reward": estimate(1.5),
        "return_expert_reward": estimate(-2.25),
        "features": {name: estimate(0.125) for name in NAMES},
        "grasp_offset_m": estimate(0.035, 0.002),
        "histograms": {name: [6, 2, 0, 2] for name in NAMES},
        "num_broken": 0,
    }


def summary() -> dict[str, Any]:
    record = RunRecord("Franka-Erase", "mereq", 3, "cpu", 64, 0.05, list(NAMES))
    record.theta_star = {"normal_force": -2.0, "tool_speed": 0.0}
    record.status, record.converged = "converged", True
    record.intervention_rate = [0.5, 0.25, 0.01]
    record.intervention_rate_upper = [0.6, 0.3, 0.04]
    record.expert_samples = [100, 200, 250]
    record.num_takeovers = [9, 5, 1]
    record.theta_history = [{"normal_force": -1.0, "tool_speed": 0.5}, {"normal_force": -1.5, "tool_speed": 0.25}]
    record.feature_expectation = {whose: dict.fromkeys(NAMES, 0.1) for whose in ("target", "learner", "prior")}
    record.evaluation = {"prior": evaluation(0.1), "aligned": evaluation(0.8), "expert": evaluation(0.9)}
    record.expert_return_gap_closed = 0.934
    record.wall_time_s = 90.0
    record.texts = {
        "goal": "Touch every mark.",
        "wish": "Press hard enough.",
        "features": {"normal_force": "force on the felt", "tool_speed": "speed of the tool"},
        "step_s": 0.05,
    }
    record.versions, record.hardware = {"torch": "2.11.0"}, {"processor": "a processor"}
    record.command = "./isaaclab.sh -p scripts/train_mereq.py --task Franka-Erase"
    return record.as_summary()


def report(tmp_path: Path, run: dict[str, Any]) -> str:
    folder = RunFolder.create(tmp_path, "Franka-Erase", "test")
    folder.write_params("arguments", {"settings": ["agent.max_rounds=2"]})
    folder.write_summary(run)
    return write_report(folder).read_text(encoding="utf-8")


def cells(page: str) -> dict[str, list[str]]:
    """Cells of the page's tables by the label of their row; of a label that stands twice the first."""
    rows: dict[str, list[str]] = {}
    for label, rest in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page, re.DOTALL):
        rows.setdefault(label, re.findall(r"<td>(.*?)</td>", rest, re.DOTALL))
    return rows


def test_figures_are_those_of_the_run(tmp_path):
    page = report(tmp_path, summary())
    rows = cells(page)
    assert rows["success"] == ["10.0 ± 1.0 %", "80.0 ± 1.0 %", "90.0 ± 1.0 %"]
    assert rows["grasp offset [m]"] == ["0.035 ± 0.002"] * 3
    assert rows["return, person&#39;s reward"] == ["-2.250 ± 0.010"] * 3
    weights = page[page.index("<h2>Weights") :]
    assert cells(weights)["normal force"] == ["-1.50", "-2.00", "0.100", "0.100", "0.100"]
    assert rows["torch"] == ["2.11.0"] and rows["processor"] == ["a processor"]
    for text in ("Touch every mark.", "press hard enough.", "force on the felt", "agent.max_rounds=2", "93.4 %"):
        assert text in page, text
    # 250 steps of 0.05 s, 50 % of the first round and 1 % of the last.
    for text in ("<b>250</b>", "12&nbsp;s of their time", "50.0 %", "1.0 %", "10 % → 80 %", "1.5 min"):
        assert text in page, text


@pytest.mark.parametrize(
    ("method", "text"), [("mereq", "a residual reward was inferred"), ("hg_dagger_ft", "to do what the person did")]
)
def test_a_report_says_what_its_method_does(tmp_path, method, text):
    page = report(tmp_path, summary() | {"method": method, "confidence": 0.9})
    assert text in page and ("residual reward was" in page) == (method == "mereq")
    assert "(90 % upper bound" in page and "up to its 90 % bound" in page


@pytest.mark.parametrize(
    ("person", "watched", "expert"),
    [
        ("synthetic", "A synthetic person watched it", "is the person's own policy"),
        ("live", "Somebody watched it in a browser", "of the task's synthetic person, who need not want the same"),
        ("recorded", "Recorded episodes show", "of the task's synthetic person, who need not want the same"),
    ],
)
def test_a_report_says_who_supervised(tmp_path, person, watched, expert):
    page = report(tmp_path, summary() | {"person": person})
    assert watched in page and html.unescape(page).count(expert) == 1
    assert ("gap in the synthetic person" in page) == (person != "synthetic")


def test_every_method_has_something_to_say():
    assert set(LEARNED) == set(METHODS)


def lines(svg: str, colour: str) -> list[np.ndarray]:
    """Corners of the lines of a colour, each of shape (num_points, 2); y grows upwards."""
    found = []
    for path in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}path"):
        if f"stroke: {colour}" in path.get("style", "") and "L" in path.get("d", ""):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.get("d", ""))]
            found.append(np.array(numbers).reshape(-1, 2) * (1, -1))
    return found


def svg(text: str) -> str:
    return text.replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ', 1
    )


def is_affine(drawn: np.ndarray, values: list[float]) -> bool:
    """Whether what is drawn differs from the values by a scale above 0 and a shift."""
    scale, shift = np.polyfit(values, drawn, 1)
    return scale > 0 and np.allclose(drawn, scale * np.array(values) + shift, atol=0.02)


def test_the_curve_of_the_rate_goes_through_its_values():
    curve = lines(svg(intervention_plot(summary())), "#2f7ed8")[0]
    assert is_affine(curve[:, 0], [100, 200, 250]) and is_affine(curve[:, 1], [0.5, 0.25, 0.01])


def test_every_weight_has_its_curve_from_zero_on_and_its_true_value():
    text = svg(theta_plot(summary()))
    curve, truth = lines(text, "#2f7ed8")[:2]
    assert is_affine(curve[:, 1], [0.0, -1.0, -1.5])
    step = (curve[1, 1] - curve[0, 1]) / -1.0
    assert truth[0, 1] == pytest.approx(curve[0, 1] - 2.0 * step, abs=0.1) == truth[1, 1]


def test_a_histogram_is_drawn_of_every_policy_there_is():
    plots = dict(feature_plots({"prior": evaluation(0.1), "aligned": evaluation(0.5)}))
    assert list(plots) == NAMES
    assert "prior" in plots["normal_force"] and "expert" not in plots["normal_force"]
    assert "mathdefault" not in plots["normal_force"]


HOSTILE = ['x"><img src=y onerror=z>', r"a\d", "$x_{ b$", "<script>1</script>", "{{ run }}"]
HOSTILE += ["\x1b[31mred", "a\nb\0c", "\u202eabc", "\ud800", "[/b]"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_nothing_else(name, tmp_path):
    run = summary()

    def renamed(item: Any) -> Any:
        if isinstance(item, dict):
            return {renamed(key): renamed(value) for key, value in item.items()}
        if isinstance(item, list):
            return [renamed(value) for value in item]
        return name if item == "normal_force" else item

    page = report(tmp_path, renamed(run) | {"command": name})
    assert "<img" not in page and "<script" not in page
    assert not any(character in page for character in "\x1b\0\u202e")
    for plot in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg(plot))


def test_no_page_may_load_or_run_anything(tmp_path):
    page = report(tmp_path, summary())
    assert "default-src 'none'" in page and "<script" not in page and "http://" not in page.replace("www.w3.org", "")


def without(run: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in names}


def test_a_run_has_a_page_however_far_it_got(tmp_path):
    run = summary()
    nothing = copy.deepcopy(run) | {"rounds": 0, "evaluation": {}, "theta_history": [], "status": "interrupted"}
    nothing |= {name: [] for name in ("intervention_rate", "intervention_rate_upper", "expert_samples")}
    one = copy.deepcopy(run) | {"rounds": 1, "evaluation": {}, "theta_history": [], "status": "failed"}
    one |= {name: run[name][:1] for name in ("intervention_rate", "intervention_rate_upper", "expert_samples")}
    unknown = copy.deepcopy(run)
    for policy in unknown["evaluation"].values():  # one episode is left after broken physics: no error, or no mean
        policy["success_rate"] = {"mean": 1.0, "stderr": None}
        policy["return_prior_reward"] = {"mean": None, "stderr": None}
    unknown["intervention_rate_upper"][-1] = None
    old = without(run, "versions", "hardware", "texts", "theta_star", "command")
    for name, case, told in (
        ("nothing", nothing, "interrupted"),
        ("one", one, "after 1 round."),
        ("unknown", unknown, "<td>–</td>"),
        ("old", old, "the command was not noted"),
    ):
        page = report(tmp_path / name, case)
        assert told in page, name
        assert ("<svg" in page) == (name != "nothing")
