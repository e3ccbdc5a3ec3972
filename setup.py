"""The one Cython extension and its flags; everything else is in pyproject.toml."""

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

setup(ext_modules=cythonize([codec]))
