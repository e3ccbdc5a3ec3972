"""The extensions and their flags; everything else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

NATIVE = Path("relay/native")

codec = Extension(
    "relay._codec",
    sources=["relay/_codec.pyx", *sorted(map(str, NATIVE.glob("*.c")))],
    depends=["relay/_codec.pxd", *sorted(map(str, [*NATIVE.glob("*.pxi"), *NATIVE.glob("*.h")]))],
    include_dirs=["relay"],
    libraries=["m"],
    extra_compile_args=[
        "-std=c11",
        "-O3",  # CPython may pass -O2, which leaves G.711 unvectorised, five to ten times slower
        "-fvisibility=hidden",
        "-fno-trapping-math",  # nothing reads the floating-point flags; without it G.711 is not vectorised
        # GCC 12's -fipa-ra drops vzeroupper from AVX2 functions that call local ones, which slows later SSE code
        # anywhere in the process two- to sixfold. tests/packaging/test_native_build.py looks at the result.
        "-fno-ipa-ra",
    ],
)

# Python modules that every frame goes through, compiled with the C types in the .pxd beside each: that takes away more
# than half of what they cost. They stay Python, typed, checked and read as such, and right without being compiled.
TYPED = [
    Extension(".".join(types.with_suffix("").parts), sources=[str(types.with_suffix(".py"))], depends=[str(types)])
    for types in sorted(Path("relay/media").glob("*.pxd"))
]
DIRECTIVES = {"language_level": 3, "annotation_typing": False}  # the .pxd has the types

setup(
    ext_modules=[*cythonize([codec]), *cythonize(TYPED, compiler_directives=DIRECTIVES, build_dir="build")],
    options={"build_ext": {"parallel": os.cpu_count()}},
)
