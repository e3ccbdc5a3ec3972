"""scripts/setup as test and demo begin with it: what it refuses, in which words, what it leaves, and installs when."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL = shutil.which("bash")
TOOLS = ("bash", "cksum", "cmp", "dirname", "head", "mkdir", "rm", "touch")

pytestmark = pytest.mark.skipif(SHELL is None, reason="needs bash")


class Checkout:
    """A copy of what the scripts look at, and a PATH that has only what the test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.path = root / "bin"
        self.path.mkdir()
        for name in (
            "pyproject.toml",
            "setup.py",
            "scripts/demo",
            "scripts/setup",
            "scripts/test",
            "relay/_codec.pyx",
            "relay/native/kernels.c",
            "relay/dev/bench/_phones.pyx",
            "relay/dev/bench/bridge_seat.pxd",
            "relay/dev/bench/bridge_seat.py",
            "relay/dev/bench/native/phones.c",
            "relay/media/jitter.pxd",
            "relay/media/jitter.py",
            "relay/rooms/gate.pxd",
            "relay/rooms/gate.py",
        ):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or pytest.skip(f"needs {tool}"))

    def add_command(self, name: str, script: str) -> None:
        command = self.path / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f"#!{SHELL}\n{script}\n")
        command.chmod(0o755)

    def add_python(self, name: str, pretence: str = "") -> None:
        """Add the running Python, with a line of Python that runs before each -c program."""
        start = f'"{sys.executable}" -c "{pretence}\nimport sys; exec(sys.argv.pop(1))"'
        self.add_command(name, f'[ "$1" = -c ] || exec "{sys.executable}" "$@"\nshift\nexec {start} "$@"')

    def run(self, *arguments: str, script: str = "test", **environment: str) -> subprocess.CompletedProcess[str]:
        assert SHELL is not None
        return subprocess.run(
            [SHELL, self.root / "scripts" / script, *arguments],
            env={"PATH": str(self.path), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def assert_refused(self, *words: str, **environment: str) -> None:
        result = self.run(**environment)
        assert result.returncode == 1, result
        assert result.stderr.startswith("scripts/setup: needs ")
        assert result.stderr.count("\n") == 1
        for word in words:
            assert word in result.stderr
        assert not (self.root / ".venv").exists()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_no_python(checkout: Checkout) -> None:
    checkout.assert_refused("Python 3.11 or newer", "found no python3 on the PATH")


def test_old_python(checkout: Checkout) -> None:
    checkout.add_python("python3", "import sys; sys.version_info = (3, 10, 4)")
    checkout.assert_refused("Python 3.11 or newer", "python3 is 3.10")


def test_python_without_headers(checkout: Checkout) -> None:
    checkout.add_python("python3", "import sysconfig; sysconfig.get_path = lambda name: '/nowhere'")
    checkout.assert_refused("python3 has no C headers", "python3-dev")


def test_python_without_venv(checkout: Checkout) -> None:
    checkout.add_python("python3", "import sys; sys.modules['ensurepip'] = None")
    checkout.assert_refused("python3 cannot make virtual environments", "python3-venv")


def test_launcher_of_an_absent_version_is_passed_over(checkout: Checkout) -> None:
    checkout.add_command("python3.14", "exit 127")
    checkout.add_python("python3", "import sys; sys.version_info = (3, 9, 0)")
    checkout.assert_refused("python3.14 does not run; python3 is 3.9")


def test_chosen_python_is_the_only_candidate(checkout: Checkout) -> None:
    checkout.add_python("python3")
    checkout.assert_refused("found no python3.99 on the PATH", PYTHON="python3.99")


def test_no_compiler(checkout: Checkout) -> None:
    checkout.add_python("python3")
    checkout.assert_refused("C compiler", "apt install gcc")


def test_broken_compiler(checkout: Checkout) -> None:
    checkout.add_python("python3")
    checkout.add_command("broken-cc", "exit 1")
    checkout.assert_refused("C compiler", "'broken-cc -pthread' does not work", CC="broken-cc -pthread")


@pytest.mark.long
def test_failed_installation_leaves_no_venv(checkout: Checkout) -> None:
    """The virtual environment is really made; pip then fails, having no index to look at."""
    checkout.add_python("python3")
    checkout.add_command("cc", "exit 0")
    result = checkout.run(CC="cc", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert "making .venv" in result.stdout
    assert "No matching distribution" in result.stderr
    assert result.returncode != 0
    assert not (checkout.root / ".venv").exists()


def test_unfinished_venv_is_thrown_away(checkout: Checkout) -> None:
    """What a killed run leaves behind."""
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "relay-unfinished").touch()
    checkout.assert_refused("Python 3.11 or newer")


def test_venv_of_another_is_not_touched(checkout: Checkout) -> None:
    theirs = checkout.root / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    result = checkout.run()
    assert result.stderr == "scripts/setup: the Python of .venv does not run; remove .venv to have it made again\n"
    assert theirs.exists()


@pytest.fixture
def calls(checkout: Checkout) -> Path:
    """
    Let .venv be there with a Python that only records the modules it is to run, and return the record. After a pip
    come the requirements it was given; it fails if PIP_FAILS is set.
    """
    record = checkout.root / "calls"
    script = f"""
        [ "$1" = -m ] || exec "{sys.executable}" "$@"
        shift
        echo "$*" >>"{record}"
        [ "$1" = pip ] || exit 0
        for last; do :; done
        [[ $last != /dev/* ]] || while read -r line; do echo "  $line"; done <"$last" >>"{record}"
        [ -z "${{PIP_FAILS:-}}" ]"""
    checkout.add_command(str(checkout.root / ".venv/bin/python"), script)
    checkout.add_command("cc", "exit 0")
    return record


def steps(calls: Path) -> list[str]:
    """
    Return what was run since the last time; of pip, "install" is with requirements, "alone" with those of the group of
    that name, "build" with relay itself.
    """
    commands = [line for line in calls.read_text().splitlines() if not line.startswith(" ")]
    calls.write_text("")
    pips = {True: "build", False: "install"}
    named = [line.replace("pip ", "alone ") if " --target .venv/alone " in line else line for line in commands]
    return [pips[line.endswith(" .")] if line.startswith("pip ") else line.split()[0] for line in named]


def steps_of_test(checkout: Checkout, calls: Path) -> list[str]:
    result = checkout.run("tests/codec", "-x", CC="cc")
    assert result.returncode == 0, result
    assert "pytest only" in result.stdout
    assert calls.read_text().splitlines()[-1] == "pytest tests/codec -x"
    return steps(calls)


def steps_of_demo(checkout: Checkout, calls: Path) -> list[str]:
    result = checkout.run("--json", script="demo", CC="cc")
    assert result.returncode == 0, result
    assert result.stdout == ""
    assert calls.read_text().splitlines()[-1] == "relay demo --json"
    return steps(calls)


def test_second_run_only_runs_pytest(checkout: Checkout, calls: Path) -> None:
    assert steps_of_test(checkout, calls) == ["install", "alone", "build", "pytest"]
    assert steps_of_test(checkout, calls) == ["pytest"]


@pytest.mark.parametrize(
    "name",
    [
        *("pyproject.toml", "setup.py", "relay/_codec.pyx", "relay/dev/bench/native/phones.c"),
        *("relay/rooms/gate.py", "relay/rooms/gate.pxd", "relay/dev/bench/bridge_seat.py"),
    ],
)
@pytest.mark.long
def test_changed_source_is_built_again(checkout: Checkout, calls: Path, name: str) -> None:
    steps_of_test(checkout, calls)
    stale = [
        checkout.root / folder / f"was_compiled{EXTENSION_SUFFIXES[0]}" for folder in ("relay/rooms", "relay/dev/bench")
    ]
    for each in stale:
        each.write_text("of a module that has no types any longer: it would be found before its source")
    with (checkout.root / name).open("a") as source:
        source.write("\n")
    assert steps_of_test(checkout, calls) == ["install", "alone", "build", "pytest"]
    assert [each for each in stale if each.exists()] == []


@pytest.mark.parametrize(("script", "extras"), [("demo", []), ("test", ["test", "dev"])])
def test_no_more_is_installed_than_is_asked_for(
    checkout: Checkout, calls: Path, script: str, extras: list[str]
) -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = [config["build-system"]["requires"], config["project"]["dependencies"]]
    parts += [config["project"]["optional-dependencies"][name] for name in extras]
    parts += [config["dependency-groups"]["alone"]] if "test" in extras else []
    assert checkout.run("-x", script=script, CC="cc").returncode == 0
    given = [line.strip() for line in calls.read_text().splitlines() if line.startswith(" ")]
    assert given == [requirement for part in parts for requirement in part]


def test_what_the_demo_has_installed_the_tests_do_not_build_again(checkout: Checkout, calls: Path) -> None:
    assert steps_of_demo(checkout, calls) == ["install", "build", "relay"]
    assert steps_of_test(checkout, calls) == ["install", "alone", "pytest"]
    assert steps_of_test(checkout, calls) == ["pytest"]


def test_after_the_tests_the_demo_installs_nothing(checkout: Checkout, calls: Path) -> None:
    steps_of_test(checkout, calls)
    assert steps_of_demo(checkout, calls) == ["relay"]


def test_extras_may_need_something_else_when_the_demo_has_built_a_changed_project(
    checkout: Checkout, calls: Path
) -> None:
    steps_of_test(checkout, calls)
    with (checkout.root / "pyproject.toml").open("a") as project:
        project.write("\n")
    assert steps_of_demo(checkout, calls) == ["install", "build", "relay"]
    assert steps_of_test(checkout, calls) == ["install", "alone", "pytest"]


def test_extras_that_could_not_be_installed_do_not_spoil_the_demo(checkout: Checkout, calls: Path) -> None:
    steps_of_demo(checkout, calls)
    assert checkout.run("-x", CC="cc", PIP_FAILS="1").returncode == 1
    assert steps(calls) == ["install"]
    assert steps_of_demo(checkout, calls) == ["relay"]
    assert steps_of_test(checkout, calls) == ["install", "alone", "pytest"]


def test_what_is_alone_is_installed_without_what_it_asks_for_and_in_place_of_what_was_there(
    checkout: Checkout, calls: Path
) -> None:
    old = checkout.root / ".venv" / "alone" / "old.py"
    old.parent.mkdir()
    old.touch()
    assert checkout.run("-x", CC="cc").returncode == 0
    [line] = [line for line in calls.read_text().splitlines() if " --target " in line]
    assert "install --no-deps --target .venv/alone -r /dev/" in line
    assert not old.exists()


def test_unknown_extra(checkout: Checkout, calls: Path) -> None:
    result = checkout.run("tests", script="setup", CC="cc")
    assert result.returncode == 1
    assert result.stderr.startswith('scripts/setup: pyproject.toml has no extra "tests", only test, bench')
    assert result.stderr.count("\n") == 1
    assert not calls.exists()
