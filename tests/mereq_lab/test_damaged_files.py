# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whatever befalls a file that the program reads, it is read or refused in one line.

The files of a run are damaged in every way below, and read by all that reads them, as the scripts do: what those do not
turn into one line fails the test.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import math
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mereq_algo.networks import load_checkpoint
from mereq_algo.recording import gather, notes_on, rollout_of
from mereq_algo.records import RunFolder, RunInUseError
from mereq_algo.runner import SupervisionRunner, TimedEnv
from mereq_lab.benchmark import Job, check_figures, finished_runs, write_plots
from mereq_lab.commands.resume import check_unfinished, kept_arguments
from mereq_lab.policies import meaning_of_run
from mereq_lab.program import USER_ERRORS
from mereq_lab.report import VIDEO, write_report
from mereq_lab.report.page import POSTER

from ..mereq_algo.supervised_env import SPEC, SupervisedLinearEnv, small_cfg, trained

NAME = "2026-11-30_10-00-00_mereq_seed3"
PLOTS = "plots of the benchmark"
RECORDING = "recordings/round_01/episode_001.hdf5"
VIDEO_FILES = (str(VIDEO), str(POSTER))
WRITTEN_ALONE = ("params/agent.yaml", "checkpoints/shown.safetensors", "report.html")
"""Files of a run that no program of ours reads."""


def runner_in(folder: RunFolder) -> SupervisionRunner:
    cfg = small_cfg(max_rounds=1, evaluation_episodes=4, num_supervised=4, inner={"max_steps": 20, "min_steps": 10})
    return SupervisionRunner(
        TimedEnv(SupervisedLinearEnv(num_envs=16)), SPEC, trained(0.0), trained(1.0), cfg, folder, 3
    )


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """A run of a moment, with all files that scripts write."""
    folder = RunFolder(tmp_path_factory.mktemp("whole") / "Linear" / NAME)
    folder.path.mkdir(parents=True)
    runner = runner_in(folder)
    runner.record.command = "./isaaclab.sh -p scripts/train_mereq.py agent.method=mereq"
    runner.learn()
    kept = {"seed": 3, "num_envs": 16, "device": "cpu", "prior": "prior", "settings": ["agent.max_rounds=1"]}
    kept |= {"person": "synthetic", "num_supervised": 1, "host": "127.0.0.1", "port": 8080, "from_recordings": False}
    folder.write_params("arguments", kept)
    folder.write_params(
        "env",
        {
            "sim": {"dt": 0.025},
            "decimation": 2,
            "actions": {"tool": {"step_size": [0.05, 0.05, 0.05]}},
            "observations": {"policy": {"state": {"scale": 1.0}}},
        },
    )
    with folder.lock("train"):
        pass
    folder.keep_policy("prior", folder.policy_file.read_bytes())
    for name in VIDEO_FILES:
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_bytes(bytes(100))
    return folder.path


@pytest.fixture
def run(whole_run, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    path = tmp_path / "Linear" / NAME
    shutil.copytree(whole_run, path)
    return path


@pytest.fixture
def scripts(monkeypatch) -> Iterator[dict[str, Any]]:
    """The script that is no module of a package."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "scripts" / "tools")
    yield {"summarize": importlib.import_module("summarize")}


def readers(run: Path, scripts: dict[str, Any]) -> dict[str, dict[str, Callable[[], Any]]]:
    """All that reads a file of a run, by file and by name."""
    folder, logs = RunFolder(run), run.parents[1]
    job = Job("Linear", "mereq", 3)

    def tables() -> None:
        found = finished_runs(logs, ["mereq"])
        check_figures(logs, found)
        check_figures(logs, found, is_search=True)

    def plots() -> None:
        found = finished_runs(logs, ["mereq"])
        check_figures(logs, found)
        if found:
            write_plots(logs, found, ["mereq"])

    def arguments() -> None:
        parser = argparse.ArgumentParser()
        for name in ("seed", "num_envs", "device", "prior", "person", "num_supervised", "host", "port"):
            parser.add_argument(f"--{name}")
        kept_arguments(folder, parser.parse_args([]), [], parser)

    def resumed() -> None:
        runner_in(folder).resume()

    def settings_of_the_environment() -> None:
        folder.policy_file.unlink(missing_ok=True)
        meaning_of_run(folder)

    def recordings() -> None:
        episodes = [episode for _, episode in gather([run / "recordings"]).episodes]
        notes_on(episodes)
        rollout_of(episodes)

    def in_use() -> None:
        try:
            descriptor = os.open(run / "run.lock", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        except OSError:  # who else could hold it, then
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with folder.lock("train"):
                pass
        finally:
            os.close(descriptor)

    def lock() -> None:
        with folder.lock("train"):
            pass

    def kept() -> None:
        file = folder.kept_policy("prior")
        if file is not None:
            load_checkpoint(file, num_obs=1, num_actions=1)

    return {
        "summary.json": {
            "opened": lambda: RunFolder.open(run, "Linear"),
            "report": lambda: write_report(folder),
            "summarize": lambda: scripts["summarize"].column(folder.summary_file),
            "benchmark": tables,
            PLOTS: plots,
            "benchmark, to go on": lambda: job.command(["train"], logs),
            "finished?": lambda: check_unfinished(folder, small_cfg()),
        },
        "params/arguments.yaml": {
            "report": lambda: write_report(folder),
            "resumed": arguments,
            "settings": folder.read_settings,
        },
        "params/env.yaml": {"meaning": settings_of_the_environment},
        "checkpoints/state.pt": {"resumed": resumed},
        "checkpoints/policy.safetensors": {
            "loaded": lambda: load_checkpoint(folder.policy_file, num_obs=1, num_actions=1),
            "meaning": lambda: meaning_of_run(folder),
        },
        "policies/prior.safetensors": {"loaded": kept},
        "run.lock": {"in use": in_use, "locked": lock},
        **{name: {"report": lambda: write_report(folder)} for name in VIDEO_FILES},
        RECORDING: {"recordings": recordings},
    }


FILES = tuple(readers(Path("/a/b/c"), {}))


def test_no_file_of_a_run_is_forgotten(whole_run):
    """A new file of a run is read and belongs to the readers above, or nothing reads it."""
    found = {str(file.relative_to(whole_run)) for file in whole_run.rglob("*") if file.is_file()}
    found = {RECORDING if name.startswith("recordings/") else name for name in found}
    assert found - set(FILES) <= set(WRITTEN_ALONE) and set(FILES) <= found


def read_or_told(run: Path, scripts: dict[str, Any], file: str, slow: bool = False) -> None:
    """Every reader of a file succeeds, or refuses as the scripts do, in one line."""
    for name, read in readers(run, scripts)[file].items():
        if name == PLOTS and not slow:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of plots that have nothing to show
                read()
        except ValueError as error:
            assert isinstance(error, USER_ERRORS), f"{file}, {name}: {error!r}"
            assert str(error).strip() and len(str(error).splitlines()) == 1, f"{file}, {name}: {error}"


def _flipped(content: bytes, generator: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(generator.choice((1, 3, 30))):
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
    return bytes(damaged)


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "empty": lambda content, generator: b"",
    "a byte": lambda content, generator: content[:1],
    "cut in half": lambda content, generator: content[: len(content) // 2],
    "cut at the end": lambda content, generator: content[:-1],
    "cut anywhere": lambda content, generator: content[: generator.randrange(len(content))],
    "bits flipped": _flipped,
    "bits flipped at the beginning": lambda content, generator: _flipped(content[:60], generator) + content[60:],
    "a stretch of zeros": lambda content, generator: content[:50] + bytes(50) + content[100:],
    "in UTF-16": lambda content, generator: content.decode("latin-1").encode("utf-16"),
    "in Latin-1": lambda content, generator: b"\xe9" + content,
    "with a mark of its byte order": lambda content, generator: b"\xef\xbb\xbf" + content,
    "with zeros": lambda content, generator: bytes(100) + content,
    "a page": lambda content, generator: b"<!doctype html><title>404</title>",
    "a program's output": lambda content, generator: b"\x1b[31merror\x1b[0m\n",
    "deeply nested": lambda content, generator: b"[" * 20_000,
    "half a character": lambda content, generator: b'"\\ud800"',
}
REPEATED = ("cut anywhere", "bits flipped", "bits flipped at the beginning")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", BYTES)
def test_damaged_bytes(run, scripts, file, how):
    generator, content = random.Random(f"{file} {how}"), (run / file).read_bytes()
    for _ in range(6 if how in REPEATED else 1):
        (run / file).write_bytes(BYTES[how](content, generator))
        read_or_told(run, scripts, file)


def _unreadable(file: Path) -> None:
    file.chmod(0)


def _replaced_by(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.unlink()
        make(file)

    return replace


PLACES: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "a folder": _replaced_by(Path.mkdir),
    "a link to nothing": _replaced_by(lambda file: file.symlink_to(file.parent / "nowhere")),
    "a link to itself": _replaced_by(lambda file: file.symlink_to(file)),
    "a link to a folder": _replaced_by(lambda file: file.symlink_to(file.parent)),
    "a pipe": _replaced_by(os.mkfifo),
    "a device": _replaced_by(lambda file: file.symlink_to("/dev/null")),
    "unreadable": _unreadable,  # not to root
}


@pytest.mark.timeout(60)  # a pipe without a writer keeps its reader waiting
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", PLACES)
def test_something_else_in_a_file_s_place(run, scripts, file, how):
    PLACES[how](run / file)
    read_or_told(run, scripts, file)


HUGE: tuple[Any, ...] = (10**30, 10**400, math.inf, -math.inf, math.nan, 1e-320)
ODD: tuple[Any, ...] = (*HUGE, None, True, 3, -1, 0.5, "", "text", "\ud800\x1b[31m", [], [1], [[None]], {}, {"a": 1})


def changed(content: Any, generator: random.Random) -> Any:
    """Another valid shape: an entry somewhere is gone, or something else."""
    if not isinstance(content, (dict, list)) or not content or generator.random() < 0.25:
        return generator.choice(ODD)
    place = generator.choice(list(content) if isinstance(content, dict) else range(len(content)))
    copied = dict(content) if isinstance(content, dict) else list(content)
    if generator.random() < 0.3:
        del copied[place]  # type: ignore[arg-type]
    else:
        copied[place] = changed(copied[place], generator)  # type: ignore[index]
    return copied


def nested(depth: int) -> list[Any]:
    """Lists in lists: JSON is read to a depth at which nothing else can be done with it."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


DEPTHS = (40, 500, 1_400)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("file", "load"),
    [("summary.json", json.loads), ("params/arguments.yaml", yaml.safe_load), ("params/env.yaml", yaml.safe_load)],
)
def test_deep_nesting_in_tables(run, scripts, file, load, depth):
    content = load((run / file).read_text(encoding="utf-8"))
    deep = "[" * depth + "]" * depth
    for name in (*random.Random(file).sample(list(content), min(6, len(content))), "another"):
        others = {other: value for other, value in content.items() if other != name}
        text = json.dumps(others)[:-1] + f', "{name}": {deep}}}'  # YAML holds JSON
        (run / file).write_text(text, encoding="utf-8")
        read_or_told(run, scripts, file)


YAML_TAGS = (
    "!!bool x",
    "!!timestamp x",
    '!!int ""',
    "!!float x",
    "!!binary \x00",
    "!!set [x]",
    "*x",
)


@pytest.mark.parametrize("file", ["params/arguments.yaml", "params/env.yaml"])
def test_yaml_that_names_the_type_of_a_value(run, scripts, file):
    content = yaml.safe_load((run / file).read_text(encoding="utf-8"))
    for value in YAML_TAGS:
        name = next(iter(content))
        others = yaml.safe_dump({other: value for other, value in content.items() if other != name})
        (run / file).write_text(f"{name}: {value}\n{others}", encoding="utf-8")
        read_or_told(run, scripts, file)


HOLDER = {"process": 1, "host": "a", "since": "now", "command": "c"}


def test_whatever_the_file_of_a_lock_holds_it_is_said_that_the_folder_is_in_use(run):
    values = [{**HOLDER, name: value} for name in HOLDER for value in (*ODD, nested(1_000))]
    texts = [json.dumps(value) for value in (*values, *ODD)] + ["", "[" * 5_000, "\xff"]
    with RunFolder(run).lock("me"):
        for text in texts:
            (run / "run.lock").write_text(text, encoding="latin-1")
            with pytest.raises(RunInUseError, match="run folder is in use by") as error, RunFolder(run).lock("you"):
                pass
            assert "\n" not in str(error.value)


def _as_json(values: Any) -> str:
    return json.dumps(values)


def _as_yaml(values: Any) -> str:
    return yaml.safe_dump(values, allow_unicode=False)


@pytest.mark.parametrize(
    ("file", "load", "dump", "count"),
    [
        ("summary.json", json.loads, _as_json, 40),
        ("params/arguments.yaml", yaml.safe_load, _as_yaml, 20),
        ("params/env.yaml", yaml.safe_load, _as_yaml, 40),
    ],
)
def test_other_shapes_of_valid_files(run, scripts, file, load, dump, count):
    generator, content = random.Random(file), load((run / file).read_text(encoding="utf-8"))
    for number, values in enumerate((*ODD, *(changed(content, generator) for _ in range(count)))):
        (run / file).write_text(dump(values), encoding="utf-8", errors="backslashreplace")
        read_or_told(run, scripts, file, slow=number % 8 == 0)


def test_other_shapes_of_a_policy_s_header(run, scripts):
    import safetensors.torch

    file, generator = run / "checkpoints" / "policy.safetensors", random.Random(0)
    with safetensors.safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    header = json.loads(metadata["header"])
    info = header["info"]
    numbers = [{**header, "info": {**info, "temperature": value}} for value in (*HUGE, nested(1_000))]
    numbers += [{**header, "info": {**info, "extra": {"a": nested(depth)}}} for depth in DEPTHS]
    meanings = [{"rate_hz": value} for value in HUGE] + [{"rate_hz": 20.0, "actions": {"a": value}} for value in HUGE]
    meanings += [{"rate_hz": 20.0, "actions": {"a": nested(depth)}} for depth in DEPTHS]
    numbers += [{**header, "info": {**info, "meaning": meaning}} for meaning in meanings]
    for values in (*ODD, *numbers, *(changed(header, generator) for _ in range(60))):
        safetensors.torch.save_file(tensors, file, {**metadata, "header": json.dumps(values)})
        read_or_told(run, scripts, "checkpoints/policy.safetensors")


def test_other_shapes_of_a_state(run, scripts):
    import torch

    file, generator = run / "checkpoints" / "state.pt", random.Random(0)
    state = torch.load(file, weights_only=True)
    rounds = [{**state, "next_round": value} for value in HUGE] + [{**state, "next_round": nested(500)}]
    for values in (*ODD, *rounds, *(changed(state, generator) for _ in range(25))):
        torch.save(values, file)
        read_or_told(run, scripts, "checkpoints/state.pt")
