# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The runner that learns from people in another process; here that process has an expert who supervises by a rule."""

from __future__ import annotations

import argparse
import contextlib
import errno
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mereq_algo.atomic_write import WriteError
from mereq_algo.recording import RecordingError, find_recordings, read_episodes
from mereq_algo.records import RunFolder, RunInUseError
from mereq_algo.runner import TimedEnv
from mereq_lab.commands import live_process
from mereq_lab.live import LinkError, LiveProcess, LiveRunner

from ..mereq_algo.supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

PROCESS = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mereq_algo.intervention import collect_supervised_rollout
from mereq_lab.live import Link, LinkError
from mereq_algo.networks import load_checkpoint
from mereq_algo.recording import episode_file, episodes_of, policy_hash, write_episode
from mereq_algo.runner import make_person
from tests.mereq_algo.supervised_env import SupervisedLinearEnv, small_cfg, trained
from tests.mereq_algo.test_recording import INFO

what, link = sys.argv[2], Link(int(sys.argv[-1]))
shown = []
link.send(url="http://127.0.0.1:1/")
try:
    while True:
        message = link.receive()
        if message["do"] == "show":
            shown.append(message["figures"])
            continue
        if message["do"] == "end":
            Path(what).write_text("\\n".join([message["problem"], *sys.argv]))
            sys.exit(0)
        if what == "fail":
            link.send(error="the disk is full: episode_001.hdf5 is not written")
            sys.exit(2)
        if what == "die":
            sys.exit(3)
        order, policy = message["order"], load_checkpoint(Path(message["policy"]))[0]
        env = SupervisedLinearEnv(num_envs=order["episodes"])
        person = make_person(small_cfg().person, trained(1.0), env.num_envs, order["seed"], "cpu")
        rollout = collect_supervised_rollout(env, policy, person, env.num_envs)
        info = replace(INFO, reward_names=(), round=order["index"], policy_sha256=policy_hash(policy))
        files = []
        for number, episode in enumerate([] if what == "nothing" else episodes_of(rollout, info), start=1):
            if what == "spoilt" and number <= 2:
                episode.transitions["features"][0] = float("nan")
            files.append(episode_file(Path(message["recordings"]), order["index"], number))
            write_episode(files[-1], episode)
        if what in ("stop", "finish"):
            link.send(ending=what)
        link.send(files=[str(file) for file in files])
        while what == "stop while it learns":
            message = link.receive()
            assert message["do"] == "show", "nobody is to watch again"
            shown.append(message["figures"])
            if message["figures"].get("phase") == "learning":
                link.send(ending="stop")
                what = "stopped"
except LinkError:
    assert shown[-1].get("phase") == "done" or what == "nothing", shown[-1]
"""


@pytest.fixture
def process(request, tmp_path) -> Iterator[LiveProcess]:
    script = tmp_path / "process.py"
    script.write_text(PROCESS)
    process = LiveProcess([sys.executable, str(script), str(Path(__file__).parents[2]), request.param])
    yield process
    process.close()
    assert process._process.returncode in (0, 2, 3)


def runner(process: LiveProcess, root: Path, **overrides) -> LiveRunner:
    env, folder = TimedEnv(SupervisedLinearEnv(num_envs=32)), RunFolder.create(root, "Linear", "test")
    return LiveRunner(process, env, SPEC, trained(0.0), trained(1.0), small_cfg(**overrides), folder, 3)


@pytest.mark.parametrize("process", ["go on"], indirect=True)
def test_rounds_in_two_processes(process, tmp_path):
    assert process.url() == "http://127.0.0.1:1/"
    run = runner(process, tmp_path)
    record = run.learn()
    assert record.status in ("converged", "budget_spent") and record.rounds >= 2
    assert record.rollout_intervention_rate == record.intervention_rate, "nobody else was watched"
    assert record.intervention_rate[-1] < record.intervention_rate[0]
    assert record.expert_return_gap_closed is not None and record.expert_return_gap_closed > 0.5
    episodes = [read_episodes(file)[0] for file in find_recordings([run.folder.recordings])]
    assert sum(episode.expert_samples for episode in episodes) == record.expert_samples[-1]
    assert len({episode.info.policy_sha256 for episode in episodes}) == record.rounds, "each round has its own policy"


@pytest.mark.parametrize("process", ["finish"], indirect=True)
def test_a_person_ends_the_run_and_what_they_showed_is_learned(process, tmp_path):
    process.url()
    run = runner(process, tmp_path)
    record = run.learn()
    assert (record.status, record.rounds) == ("stopped", 1) and record.theta["push"] > 0.0
    assert run.ending == "finish" and run.folder.policy_file.is_file()


@pytest.mark.parametrize("process", ["stop while it learns"], indirect=True)
def test_who_stops_while_it_learns_gets_what_was_learned(process, tmp_path):
    process.url()
    run = runner(process, tmp_path)
    record = run.learn()
    assert (record.status, record.rounds, run.ending) == ("stopped", 1, "stop")
    assert record.theta["push"] > 0.0 and record.evaluation, "learning went on to its end"


@pytest.mark.parametrize("process", ["go on"], indirect=True)
def test_a_run_with_people_goes_on_where_it_was(process, tmp_path):
    process.url()
    first = runner(process, tmp_path, max_rounds=1)
    first.learn()
    again = LiveRunner(
        process,
        TimedEnv(SupervisedLinearEnv(num_envs=32)),
        SPEC,
        trained(0.0),
        trained(1.0),
        small_cfg(max_rounds=3),
        first.folder,
        3,
    )
    again.resume()
    record = again.learn()
    assert record.rounds > 1 and record.expert_samples[0] == first.record.expert_samples[0]
    rounds = {read_episodes(file)[0].info.round for file in find_recordings([first.folder.recordings])}
    assert rounds == set(range(record.rounds))


@pytest.mark.parametrize("process", ["spoilt"], indirect=True)
def test_watched_steps_that_are_not_finite_are_counted(process, tmp_path):
    process.url()
    first = runner(process, tmp_path, max_rounds=1)
    record = first.learn()
    assert record.num_rejected == 2 and RunFolder(first.folder.path).read_summary()["num_rejected"] == 2
    parts = (TimedEnv(SupervisedLinearEnv(num_envs=32)), SPEC, trained(0.0), trained(1.0), small_cfg(max_rounds=2))
    again = LiveRunner(process, *parts, first.folder, 3)
    again.resume()
    assert again.learn().num_rejected == 4


HOLDING = """
import sys, time
from pathlib import Path
from mereq_lab.live import LiveProcess
from mereq_algo.records.run_lock import locked
with locked(Path(sys.argv[1]), "me") as lock:
    wait = f"import pathlib, time\\nwhile not pathlib.Path({sys.argv[2]!r}).exists(): time.sleep(0.05)"
    process = LiveProcess([sys.executable, "-c", wait], [lock])
    print("ready", flush=True)
    time.sleep(100)
"""


def test_a_run_folder_is_in_use_while_people_still_watch_though_the_learner_was_killed(tmp_path):
    folder, end = RunFolder.create(tmp_path, "Linear", "test"), tmp_path / "end"
    unfinished = folder.path / f".episode_001.hdf5.{'0' * 8}-1-{'0' * 8}"
    command = [sys.executable, "-c", HOLDING, str(folder.path), str(end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as learner:
        assert learner.stdout is not None and learner.stdout.readline() == b"ready\n"
        unfinished.touch()
        learner.kill()
    try:
        with pytest.raises(RunInUseError, match="has left running, which ends in a moment"), folder.lock("you"):
            pass
        assert unfinished.exists()
    finally:
        end.touch()
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        with contextlib.suppress(RunInUseError), folder.lock("you"):
            assert not unfinished.exists()
            return
        time.sleep(0.1)
    pytest.fail("the folder is still in use")


@pytest.mark.parametrize("process", ["nothing"], indirect=True)
def test_without_an_episode_there_is_nothing_to_learn(process, tmp_path):
    process.url()
    with pytest.raises(RecordingError, match="nobody watched a whole episode"):
        runner(process, tmp_path).learn()


@pytest.mark.parametrize("process", ["die"], indirect=True)
def test_a_process_that_dies_ends_the_run_with_a_message(process, tmp_path):
    process.url()
    with pytest.raises(LinkError, match="exit status 3"):
        runner(process, tmp_path).learn()


@pytest.mark.parametrize("process", ["fail"], indirect=True)
def test_what_ends_the_supervision_is_said_in_the_line_of_the_run(process, tmp_path):
    process.url()
    with pytest.raises(LinkError, match=r"^the disk is full: episode_001\.hdf5 is not written$"):
        runner(process, tmp_path).learn()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            WriteError.of(Path("/run/checkpoints/state.pt"), errno.ENOSPC),
            "What was learned could not be written: ",
        ),
        (OSError(errno.ENOSPC, "no space"), "A file could not be written: the disk is full."),
        (RecordingError("it is damaged"), "A recording cannot be read: it is damaged."),
        (ZeroDivisionError(), "The program met an error and the session ends."),
    ],
)
def test_an_error_of_the_process_that_learns_is_told_on_the_page(tmp_path, monkeypatch, error, told):
    script, page, lock = tmp_path / "process.py", tmp_path / "page.txt", tmp_path / "run.lock"
    script.write_text(PROCESS)
    command = [sys.executable, str(script), str(Path(__file__).parents[2]), str(page)]
    monkeypatch.setattr(live_process, "script_command", lambda name: command)
    args = argparse.Namespace(
        task="Linear", seed=0, num_supervised=1, host="127.0.0.1", port=0, person="browser", skip_damaged=True
    )
    with (
        lock.open("w") as held,
        pytest.raises(type(error)),
        live_process.start_supervision(args, [], held.fileno()) as process,
    ):
        process.url()
        raise error
    assert page.read_text().startswith(told) and "--skip-damaged" in page.read_text().splitlines()
