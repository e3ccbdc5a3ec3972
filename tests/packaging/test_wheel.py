"""The sdist and the wheel: what is in them, and that the wheel passes the codec tests where there is no compiler."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.packaging import uncompiled

ROOT = Path(__file__).parents[2]
SOURCES = ("relay", "scripts", "tests", "benchmarks")
TESTED = ("tests/codec", "tests/media", "tests/bridge/test_media_writer.py")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

pytest.importorskip("build", reason="build comes with the dev extra")
pytestmark = pytest.mark.long


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it, in a copy and without the network."""
    copy = tmp_path_factory.mktemp("build") / "relay"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for name in SOURCES:
        shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.so", "_codec.c", "_phones.c", "__pycache__")
        )
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", copy / "dist", cwd=copy)
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def unpacked_sdist(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sdist")
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        archive.extractall(place, filter="data")
    (unpacked,) = place.iterdir()
    return unpacked


def names_below(folder: Path, *patterns: str) -> set[str]:
    return {str(path.relative_to(folder)) for pattern in patterns for path in folder.glob(pattern)}


def test_sdist_has_every_source_and_nothing_built(unpacked_sdist: Path) -> None:
    patterns = (
        "setup.py",
        "LICENSE",
        "relay/py.typed",
        "relay/**/*.p*",
        "relay/native/*",
        "relay/dev/bench/native/*",
        "tests/**/*.py",
        "tests/**/*.json",
        "tests/**/*.txt",
        ".clang-format",
        "scripts/*.py",
    )
    expected = {name for name in names_below(ROOT, *patterns) if "__pycache__" not in name}
    assert {
        "relay/_codec.pyx",
        "relay/dev/bench/_phones.pyx",
        "relay/_codec.pxd",
        "relay/_codec.pyi",
        "relay/py.typed",
        "relay/media/playout.py",
        "relay/media/playout.pxd",
    } <= expected
    assert expected - names_below(unpacked_sdist, "**/*") == set()
    built = ("**/*.so", "**/__pycache__", "relay/_codec.c", "relay/dev/bench/_phones.c", "build")
    assert names_below(unpacked_sdist, *built) == set()


def test_wheel_has_the_extension_and_its_types_but_no_source(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"relay/__init__.py", "relay/_codec.pyi", "relay/py.typed", f"relay/_codec{SUFFIX}"} <= names
    for source in uncompiled.SOURCES.values():  # compiled, and there as Python
        module = str(source.relative_to(ROOT).with_suffix(""))
        assert {f"{module}.py", f"{module}{SUFFIX}"} <= names
    assert {name for name in names if Path(name).suffix in {".c", ".h", ".pyx", ".pxd", ".pxi"}} == set()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"relay"}


def test_wheel_has_the_conformance_suite(wheel: Path) -> None:
    assert "relay/conformance/__init__.py" in zipfile.ZipFile(wheel).namelist()


def test_wheel_states_its_licence_and_python(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    assert "\nLicense-Expression: BSD-2-Clause\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    required = set(re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==)", metadata, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert required == {re.split(r"[^\w-]", each)[0] for each in project["dependencies"]}


def test_wheel_passes_tests_without_a_compiler(wheel: Path, unpacked_sdist: Path, tmp_path: Path) -> None:
    """The tests are the sdist's, in a fresh environment; only third-party packages come from the running one."""
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    # Folders named in a .pth file come after the environment's own, and their own .pth files are not followed: an
    # editable relay in the running environment stays out.
    site = tmp_path / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (site / "third_party.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    for module in unpacked_sdist.glob("relay/**/*.py"):
        module.unlink()
    environment = {"PATH": str(python.parent), "CC": "false"}

    place = run(python, "-c", "import relay._codec as c; print(c.__file__)", cwd=unpacked_sdist, env=environment)
    assert Path(place.strip()) == site / "relay" / f"_codec{SUFFIX}"
    place = run(python, "-c", "import relay.bridge.bridge as b; print(b.__file__)", cwd=unpacked_sdist, env=environment)
    assert Path(place.strip()) == site / "relay" / "bridge" / f"bridge{SUFFIX}"
    report = run(python, "-m", "pytest", "-q", "--tb=line", *TESTED, cwd=unpacked_sdist, env=environment)
    assert int(re.findall(r"(\d+) passed", report)[-1]) > 600
    assert "failed" not in report.splitlines()[-1]
