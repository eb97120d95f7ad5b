# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A copy of the launcher in surroundings of its own, and what a start of it came to."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).parents[2] / "isaaclab.sh"
BASE_PYTHON = Path(sys.base_prefix) / "bin" / "python3.12"


@dataclass
class Checkout:
    """A copy of the launcher with a small lock and one package, in surroundings of its own."""

    root: Path
    env: dict[str, str]

    def start(self, *args: str, **kwargs) -> subprocess.Popen:
        kwargs = {"env": self.env, "cwd": self.root, **kwargs}
        return subprocess.Popen(
            [str(self.root / "isaaclab.sh"), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **kwargs,
        )

    def run(self, *args: str, **kwargs) -> subprocess.CompletedProcess:
        process = self.start(*args, **kwargs)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def fails(self, *args: str, **kwargs) -> str:
        """Runs the launcher and returns the one line with which it gives up."""
        done = self.run(*args, **kwargs)
        assert done.returncode == 1, done
        assert done.stdout == ""
        last_line = done.stderr.splitlines()[-1]
        assert last_line.startswith("isaaclab.sh: error: "), done.stderr
        assert done.stderr.count("isaaclab.sh: error: ") == 1
        return last_line

    def works(self) -> subprocess.CompletedProcess:
        done = self.run("-p", "-c", "import isaaclab, small_package; print('works')")
        assert (done.returncode, done.stdout) == (0, "works\n"), done
        return done


def make_checkout(folder: Path, tools: Path, wheels: tuple[Path, str], name: str = "check out") -> Checkout:
    root, home, path = folder / name, folder / "home", folder / "bin"
    package = root / "source" / "small_package" / "small_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "small-package"\nversion = "1.0"\n'
    )
    wheel_folder, lock = wheels
    (root / "requirements.lock").write_text(lock)
    shutil.copy(LAUNCHER, root)
    shutil.copytree(
        LAUNCHER.parent / "source" / "mereq_lab" / "mereq_lab" / "strict_options",
        root / "source" / "mereq_lab" / "mereq_lab" / "strict_options",
    )
    path.mkdir()
    (path / "python3.12").symlink_to(BASE_PYTHON)
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(f"[global]\nno-index = true\nfind-links =\n    /there/is/no/such/folder\n    {wheel_folder}\n")
    # Of what is installed here there is a megabyte, and the disk of a test machine may be nearly full.
    return Checkout(root, {"HOME": str(home), "PATH": f"{path}:{tools}", "MEREQ_MIN_DISK_GB": "0.1"})
