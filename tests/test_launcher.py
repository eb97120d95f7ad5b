"""What `isaaclab.sh` promises, on a copy of it with a small lock whose wheels are made here, so without a network."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(180)

LAUNCHER = Path(__file__).parents[1] / "isaaclab.sh"
BASE_PYTHON = Path(sys.base_prefix) / "bin" / "python3.12"

# Stands in for Isaac Lab's command line and for pytest: says how it was called.
ECHO = """
import json, os, sys
print(json.dumps({"args": sys.argv[1:], "cwd": os.getcwd(), "venv": os.environ["VIRTUAL_ENV"]}))
"""


def _write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes | Path]) -> str:
    """Writes a wheel and returns the lines that pin it in a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for target, content in files.items():
            entry = zipfile.ZipInfo(target)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content.read_bytes() if isinstance(content, Path) else content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{target},,\n" for target in [*files, f"{info}/RECORD"]))
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n    # via tests\n"


def _repack_wheel(folder: Path, name: str) -> str:
    """Writes a wheel of a package that is installed here."""
    distribution = importlib.metadata.distribution(name)
    files: dict[str, bytes | Path] = {}
    for file in distribution.files or []:
        target = str(file)
        if target.startswith("../../../bin/"):
            target = f"{name}-{distribution.version}.data/scripts/{file.name}"
        elif file.suffix == ".pyc" or (".dist-info/" in target and file.name != "entry_points.txt"):
            continue
        files[target] = Path(str(file.locate()))
    return _write_wheel(folder, name, distribution.version, files)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of wheels and the lock that pins them."""
    folder = tmp_path_factory.mktemp("wheels")
    lock = "".join(
        [
            "# A lock.\n",
            _write_wheel(
                folder, "isaaclab", "3.0.0", {"isaaclab/__init__.py": b"", "isaaclab/__main__.py": ECHO.encode()}
            ),
            _write_wheel(folder, "pytest", "9.0.0", {"pytest/__init__.py": b"", "pytest/__main__.py": ECHO.encode()}),
            _repack_wheel(folder, "setuptools"),
            _repack_wheel(folder, "uv"),
        ]
    )
    return folder, lock


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH with this machine's tools but no Python, no uv and no pyenv of the account's home folder."""
    folder = tmp_path_factory.mktemp("tools")
    for source in ("/usr/bin", "/bin"):
        for tool in Path(source).iterdir():
            if not re.match(r"python|pypy|uv|getent", tool.name) and not (folder / tool.name).is_symlink():
                (folder / tool.name).symlink_to(tool)
    return folder


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
        assert last_line.startswith("isaaclab.sh: error: ")
        assert done.stderr.count("isaaclab.sh: error: ") == 1
        return last_line

    def works(self) -> subprocess.CompletedProcess:
        done = self.run("-p", "-c", "import isaaclab, small_package; print('works')")
        assert (done.returncode, done.stdout) == (0, "works\n"), done
        return done


def _make_checkout(folder: Path, tools: Path, wheels: tuple[Path, str]) -> Checkout:
    root, home, path = folder / "check out", folder / "home", folder / "bin"
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
    path.mkdir()
    (path / "python3.12").symlink_to(BASE_PYTHON)
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(f"[global]\nno-index = true\nfind-links =\n    /there/is/no/such/folder\n    {wheel_folder}\n")
    # Of what is installed here there is a megabyte, and the disk of a test machine may be nearly full.
    return Checkout(root, {"HOME": str(home), "PATH": f"{path}:{tools}", "MEREQ_MIN_DISK_GB": "0.1"})


@pytest.fixture
def checkout(tmp_path: Path, tools: Path, wheels: tuple[Path, str]) -> Checkout:
    """A checkout in which nothing has been set up."""
    return _make_checkout(tmp_path, tools, wheels)


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, tools: Path, wheels: tuple[Path, str]) -> Checkout:
    """A checkout that has been set up; tests that change it work on a copy."""
    checkout = _make_checkout(tmp_path_factory.mktemp("ready"), tools, wheels)
    done = checkout.works()
    for step in ("1/4", "2/4", "3/4 installing the 4 packages", "4/4", "ready after"):
        assert step in done.stderr
    return checkout


@pytest.fixture
def moved(tmp_path: Path, ready: Checkout) -> Checkout:
    """A set-up checkout that was moved to another folder."""
    root = tmp_path / "elsewhere"
    shutil.copytree(ready.root, root, symlinks=True)
    return Checkout(root, ready.env)


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[Path], None]:
    """Writes a Python 3.12 that answers questions but cannot make an environment."""

    def write(path: Path, fails_at: str = "-m venv") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\ncase "$*" in *"{fails_at}"*) exit 1 ;; esac\nexec "{BASE_PYTHON}" "$@"\n')
        path.chmod(0o755)

    return write


def _wait_for_output(process: subprocess.Popen, text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the launcher ended without saying {text!r}")


# --- handing over -----------------------------------------------------------------------------------------------------


def test_later_starts_say_nothing_of_their_own(ready: Checkout):
    assert ready.works().stderr == ""


def test_later_starts_add_less_than_300_ms(ready: Checkout):
    def seconds(command: Callable[[], object]) -> float:
        start = time.perf_counter()
        command()
        return time.perf_counter() - start

    python = ready.root / ".venv" / "bin" / "python"
    through_launcher = min(seconds(lambda: ready.run("-p", "-c", "pass")) for _ in range(5))
    directly = min(seconds(lambda: subprocess.run([python, "-c", "pass"], check=True)) for _ in range(5))
    assert through_launcher - directly < 0.3


@pytest.mark.parametrize("args", [(), ("train", "--task", "two words", "*"), ("list_envs",), ("-i", "core"), ("-h",)])
def test_isaac_lab_gets_the_arguments_as_they_are(ready: Checkout, args: tuple[str, ...]):
    done = ready.run(*args)
    assert json.loads(done.stdout)["args"] == list(args)
    assert done.returncode == 0


def test_python_gets_arguments_folder_and_exit_code(ready: Checkout, tmp_path: Path):
    (tmp_path / "script.py").write_text(ECHO + "sys.exit(7)\n")
    done = ready.run("-p", "script.py", "--flag", "two words", "-t", cwd=tmp_path)
    echo = json.loads(done.stdout)
    assert (echo["args"], echo["cwd"], done.returncode) == (["--flag", "two words", "-t"], str(tmp_path), 7)


def test_tests_run_from_the_root_whatever_the_folder(ready: Checkout, tmp_path: Path):
    echo = json.loads(ready.run("-t", "-k", "ink and force", cwd=tmp_path).stdout)
    assert (echo["args"], echo["cwd"]) == (["-k", "ink and force"], str(ready.root))


def test_launcher_can_be_called_through_a_link(ready: Checkout, tmp_path: Path):
    (tmp_path / "lab").symlink_to(ready.root / "isaaclab.sh")
    done = subprocess.run([tmp_path / "lab", "list_envs"], env=ready.env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["venv"] == str(ready.root / ".venv")


def test_an_active_environment_does_not_win(ready: Checkout, tmp_path: Path):
    active = {"VIRTUAL_ENV": str(tmp_path), "CONDA_PREFIX": str(tmp_path), "PYTHONHOME": str(tmp_path)}
    done = ready.run("play", env={**ready.env, **active})
    assert json.loads(done.stdout)["venv"] == str(ready.root / ".venv")


# --- finding a Python -------------------------------------------------------------------------------------------------


def _skip_if_a_python_cannot_be_hidden() -> None:
    places = [Path("/usr/local/bin/python3.12"), *Path("/opt/pyenv").glob("versions/3.12*")]
    places += Path("/usr/local/pyenv").glob("versions/3.12*")
    if any(place.exists() for place in places):
        pytest.skip("this machine has a Python 3.12 where the launcher always looks")


def test_no_python_is_named_with_what_to_do(checkout: Checkout, tools: Path):
    _skip_if_a_python_cannot_be_hidden()
    error = checkout.fails("-p", "-c", "pass", env={**checkout.env, "PATH": str(tools)})
    assert "no Python 3.12 found" in error
    assert "uv python install 3.12" in error
    assert not (checkout.root / ".venv").exists()


def test_a_shim_that_does_not_run_is_passed_over_for_pyenvs_newest(checkout: Checkout, tmp_path: Path, fake_python):
    fake_python(tmp_path / "bin" / "python3.12", fails_at="")
    for version in ("3.12.9", "3.12.11", "3.13.0"):
        fake_python(tmp_path / "pyenv" / "versions" / version / "bin" / "python3.12")
    done = checkout.run("-i", env={**checkout.env, "PYENV_ROOT": str(tmp_path / "pyenv")})
    assert f"making .venv with {tmp_path}/pyenv/versions/3.12.11/bin/python3.12" in done.stderr


def test_uv_fetches_a_python_where_there_is_none(checkout: Checkout, tmp_path: Path, fake_python):
    _skip_if_a_python_cannot_be_hidden()
    fetched, uv = tmp_path / "fetched" / "python3.12", tmp_path / "bin" / "uv"
    fake_python(tmp_path / "python3.12")
    fetched.parent.mkdir()
    (tmp_path / "bin" / "python3.12").unlink()
    install = f'mv "{tmp_path}/python3.12" "{fetched}"'
    find = f'test -e "{fetched}" && echo "{fetched}"'
    uv.write_text(f'#!/bin/sh\ncase "$2" in install) {install} ;; find) {find} ;; esac\n')
    uv.chmod(0o755)
    done = checkout.run("-i")
    assert "fetching Python 3.12 with" in done.stderr
    assert f"making .venv with {fetched}" in done.stderr


def test_a_python_without_its_venv_module_is_named(checkout: Checkout, tmp_path: Path, fake_python):
    _skip_if_a_python_cannot_be_hidden()
    fake_python(tmp_path / "bin" / "python3.12", fails_at="import ensurepip")
    assert "apt install python3.12-venv" in checkout.fails("-i")


# --- what can go wrong in a first start -------------------------------------------------------------------------------


def test_too_little_disk_is_named_with_what_is_free(checkout: Checkout):
    error = checkout.fails("-i", env={**checkout.env, "MEREQ_MIN_DISK_GB": "1000000"})
    free = float(re.search(r"([\d.]+) GB of disk free", error).group(1))
    assert free == pytest.approx(shutil.disk_usage(checkout.root).free / 2**30, abs=1.0)
    assert "takes 1000000 GB" in error


@pytest.fixture
def readable_by_all(tools: Path, wheels: tuple[Path, str]) -> Iterator[Checkout]:
    """A checkout outside of pytest's own folders, which other accounts cannot enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield _make_checkout(folder, tools, wheels)
    folder.joinpath("check out").chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_named(readable_by_all: Checkout):
    readable_by_all.root.chmod(0o555)
    as_nobody = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    error = readable_by_all.fails("-i", env={"PATH": "/usr/bin:/bin"}, **as_nobody)
    assert f"cannot write to {readable_by_all.root}" in error


def test_a_wrong_hash_is_refused_and_the_next_start_repairs_what_it_left(checkout: Checkout, wheels: tuple[Path, str]):
    lock = checkout.root / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w+", "sha256:" + 64 * "0", wheels[1], count=1))
    error = checkout.fails("-i")
    assert f"installing requirements.lock failed (log: {checkout.root}/.venv.log)" in error
    assert "Hash mismatch" in (checkout.root / ".venv.log").read_text()

    lock.write_text(wheels[1])
    assert ".venv is not complete: making it anew" in checkout.works().stderr


# --- interrupted, twice at once, changed ------------------------------------------------------------------------------


def test_a_killed_first_start_is_repaired_by_the_next(checkout: Checkout):
    process = checkout.start("-i")
    _wait_for_output(process, "2/4")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert ".venv is not complete: making it anew" in checkout.works().stderr
    assert not (checkout.root / ".venv" / ".download-cache").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_first_start_at_once(checkout: Checkout, number: signal.Signals, code: int):
    process = checkout.start("-i")
    _wait_for_output(process, "1/4")
    os.kill(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode == code
    assert not (checkout.root / ".venv" / ".mereq-ready").exists()


def test_of_two_first_starts_one_sets_up_and_the_other_waits(checkout: Checkout):
    first = checkout.start("-p", "-c", "import small_package; print(1)")
    _wait_for_output(first, "first start")
    second = checkout.run("-p", "-c", "import small_package; print(2)")
    assert "another start is setting up .venv: waiting for it" in second.stderr
    assert "1/4" not in second.stderr
    assert (second.stdout, first.communicate()[0]) == ("2\n", "1\n")


def test_a_moved_checkout_is_updated_and_imports_its_own_packages(moved: Checkout):
    done = moved.run("-p", "-c", "import small_package; print(small_package.__file__)")
    assert "updating .venv" in done.stderr
    assert "1/4" not in done.stderr
    assert done.stdout.strip() == str(moved.root / "source" / "small_package" / "small_package" / "__init__.py")


def test_a_changed_lock_is_installed(moved: Checkout, wheels: tuple[Path, str], tmp_path: Path):
    more = _write_wheel(tmp_path, "newcomer", "1.0", {"newcomer.py": b""})
    (moved.root / "requirements.lock").write_text(wheels[1] + more)
    find_links = f"{wheels[0]} {tmp_path}"
    done = moved.run("-p", "-c", "import newcomer; print('there')", env={**moved.env, "PIP_FIND_LINKS": find_links})
    assert done.stdout == "there\n"


def test_an_environment_that_lost_packages_is_made_anew(moved: Checkout):
    shutil.rmtree(next((moved.root / ".venv").glob("lib/python3.12/site-packages/pytest-*.dist-info")))
    assert ".venv is not complete: making it anew" in moved.works().stderr
