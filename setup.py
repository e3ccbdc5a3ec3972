"""The Cython extensions and their flags; everything else is in pyproject.toml."""

import json
import os
import sys
from hashlib import sha256
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FLAGS = [
    "-std=c11",
    "-O3",  # CPython may pass -O2, which leaves G.711 unvectorised, five to ten times slower
    "-fvisibility=hidden",
]


def extension(name: str, folder: str, flags: list[str]) -> Extension:
    """Return what is built from a .pyx and the C files of ``native`` beside it."""
    pyx = Path(folder, name.rpartition(".")[2]).with_suffix(".pyx")
    native = Path(folder, "native")
    headers = [*pyx.parent.glob(f"{pyx.stem}.pxd"), *native.glob("*.pxi"), *native.glob("*.h")]
    return Extension(
        name,
        sources=[str(pyx), *sorted(map(str, native.glob("*.c")))],
        depends=sorted(map(str, headers)),
        include_dirs=[folder],
        libraries=["m"],
        extra_compile_args=[*FLAGS, *flags],
    )


codec = extension(
    "relay._codec",
    "relay",
    [
        "-fno-trapping-math",  # nothing reads the floating-point flags; without it G.711 is not vectorised
        # GCC 12's -fipa-ra drops vzeroupper from AVX2 functions that call local ones, which slows later SSE code
        # anywhere in the process two- to sixfold. tests/packaging/test_native_build.py looks at the result.
        "-fno-ipa-ra",
    ],
)
phones = extension(
    "relay.dev.bench._phones",
    "relay/dev/bench",
    # The last three: sums of products in any order, so that they are vectorised; reading markers takes a third then.
    ["-pthread", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"],
)

# The load generator stands on epoll and timerfd: elsewhere relay is without it, and ``relay bench`` says so.
written_in_cython = [codec, phones] if sys.platform == "linux" else [codec]

# Python modules that every frame goes through, compiled with the C types in the .pxd beside each: that takes away more
# than half of what they cost. They stay Python, typed, checked and read as such, and right without being compiled. The
# loopback room and the customer of ``relay bench`` are among them: they share a core with the bridges they measure.
TYPES = sorted(types for types in Path("relay").glob("*/**/*.pxd") if types.with_suffix(".py").exists())
TYPED_FILES = [path for types in TYPES for path in (types.with_suffix(".py"), types)]
typed = [
    Extension(
        ".".join(types.with_suffix("").parts),
        sources=[str(types.with_suffix(".py"))],
        depends=[str(types)],
        extra_compile_args=["-O1", "-g0"],  # -O3 takes three times as long to build, and is not faster
    )
    for types in TYPES
]
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # the .pxd has the types
    "nonecheck": True,  # None where an object belongs is an error, not a crash
}
COMPILED = Path("build", "compiled.json")


class BuildAndNote(build_ext):
    """Builds, and notes what the modules of Python were compiled from: a test sees whether that is what is here."""

    def run(self) -> None:  # noqa: D102 - as the base class has it
        sources = {str(path): sha256(path.read_bytes()).hexdigest() for path in (*TYPED_FILES, Path("setup.py"))}
        super().run()
        if self.inplace or self.editable_mode:  # else it is not what is here
            COMPILED.parent.mkdir(exist_ok=True)
            COMPILED.write_text(json.dumps(sources))


setup(
    ext_modules=[
        *cythonize(written_in_cython),
        *cythonize(typed, compiler_directives=DIRECTIVES, build_dir="build", nthreads=os.cpu_count() or 1),
    ],
    cmdclass={"build_ext": BuildAndNote},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
