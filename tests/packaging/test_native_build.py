"""
The built extension, by its machine code: it runs on every x86-64, and leaves no AVX state behind.

A function that uses ymm registers and returns without vzeroupper slows later SSE code anywhere in the process two- to
sixfold on Intel processors; GCC 12 leaves it out where -fipa-ra is on (see setup.py).
"""

import platform
import shutil
from pathlib import Path

import pytest

from relay import _codec
from tests.packaging.disassembly import Function, Library, parse_functions

on_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux" or shutil.which("objdump") is None,
    reason="reads x86-64 ELF with objdump",
)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.read(Path(_codec.__file__))


@pytest.fixture(scope="module")
def avx_functions(library: Library) -> list[Function]:
    return [function for function in library.functions if function.uses_avx]


@on_x86_64
def test_avx_is_in_the_avx2_kernels_only(library: Library, avx_functions: list[Function]) -> None:
    table = library.objects["kernels_avx2"]
    entries = [to for at, to in library.pointers if at in table]
    assert sum(entry in function for entry in entries for function in avx_functions) >= 8  # all but its name
    assert library.ways_in(avx_functions, allowed=table) == []


@on_x86_64
def test_no_avx_state_is_left_behind(avx_functions: list[Function]) -> None:
    assert any("%ymm" in instruction.operands for function in avx_functions for instruction in function.code)
    assert {function.name: exits for function in avx_functions if (exits := function.dirty_exits())} == {}


CLEAN = """
0000000000001000 <kernel>:
    1000:\ttest   %rdi,%rdi
    1003:\tje     1020 <kernel+0x20>
    1005:\tvmovdqu (%rsi),%ymm0
    1009:\tvmovdqu %ymm0,(%rdx)
    100d:\tvzeroupper
    1010:\tcall   2000 <memcpy@plt>
    1020:\tret
"""


@pytest.mark.parametrize(
    ("line", "planted", "exits"),
    [
        ("", "", []),
        ("vzeroupper", "nop", ["call", "ret"]),
        ("vzeroupper", "jne    1020 <kernel+0x20>", ["call", "ret"]),
        ("call   2000 <memcpy@plt>", "vpaddd %ymm0,%ymm1,%ymm1", ["ret"]),
        ("je     1020 <kernel+0x20>", "vpxor  %ymm1,%ymm1,%ymm1", []),
        ("vzeroupper", "jmp    *%rax", ["jmp"]),
        ("vzeroupper", "bnd jmp 3000 <other>", ["jmp"]),
    ],
)
def test_missing_vzeroupper_is_seen(line: str, planted: str, exits: list[str]) -> None:
    (kernel,) = parse_functions(CLEAN.replace(line, planted) if line else CLEAN)
    assert kernel.uses_avx
    assert [instruction.mnemonic for instruction in kernel.dirty_exits()] == exits


CALLER = """
0000000000002000 <caller>:
    2000:\tlea    -0x1007(%rip),%rax        # 1000 <kernel>
    2007:\tret
"""


def test_other_ways_to_a_kernel_are_seen() -> None:
    kernel, caller = parse_functions(CLEAN + CALLER)
    library = Library((kernel, caller), pointers=((0x5000, 0x1000), (0x6000, 0x1000)), objects={})
    assert not caller.uses_avx
    assert library.ways_in([kernel], allowed=range(0x5000, 0x5048)) == [
        "caller: lea -0x1007(%rip),%rax        # 1000 <kernel>",
        "pointer at 0x6000",
    ]
