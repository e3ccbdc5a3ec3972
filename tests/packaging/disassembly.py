"""What a listing by objdump says about the use of AVX: which functions, reached from where, and left in what state."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(?:(?:bnd|notrack|rep|repz|lock|data16) )*(\S+) *(.*)$")
_TARGET = re.compile(r"(?:^|# )([0-9a-f]+) <")
_RELOCATION = re.compile(r"^([0-9a-f]+) R_X86_64_RELATIVE +\*ABS\*\+0x([0-9a-f]+)$", re.MULTILINE)
_NOT_AVX = ("verr", "verw", "vmcall")
_CLEANING = ("vzeroupper", "vzeroall")


@dataclass(frozen=True, slots=True)
class Instruction:
    """``target`` is the address in this library that the instruction jumps to, calls or mentions."""

    address: int
    mnemonic: str
    operands: str
    target: int | None

    @property
    def is_avx(self) -> bool:
        return self.mnemonic.startswith("v") and self.mnemonic not in _NOT_AVX

    @property
    def is_jump(self) -> bool:
        return self.mnemonic.startswith("j")

    @property
    def leaves(self) -> bool:
        """Whether the next instruction is reached from elsewhere only."""
        return self.mnemonic in ("jmp", "ret", "ud2", "hlt")


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    code: tuple[Instruction, ...]

    def __contains__(self, address: int | None) -> bool:
        return address is not None and self.code[0].address <= address <= self.code[-1].address

    @property
    def uses_avx(self) -> bool:
        return any(instruction.is_avx for instruction in self.code)

    def dirty_exits(self) -> list[Instruction]:
        """
        Return where control leaves (return, call, jump elsewhere) with upper halves of ymm registers perhaps in use.

        Every path is followed. A jump through a register counts as an exit: where it goes cannot be read off.
        """
        index = {instruction.address: number for number, instruction in enumerate(self.code)}
        seen: set[tuple[int, bool]] = set()
        exits: set[int] = set()
        todo = [(0, False)]
        while todo:
            number, dirty = state = todo.pop()
            if state in seen or number == len(self.code):
                continue
            seen.add(state)
            here = self.code[number]
            dirty = (dirty or "%ymm" in here.operands) and here.mnemonic not in _CLEANING
            inside = here.is_jump and here.target in index
            if dirty and not inside and (here.mnemonic in ("ret", "call") or here.is_jump):
                exits.add(number)
            if inside and here.target is not None:
                todo.append((index[here.target], dirty))
            if not here.leaves:
                todo.append((number + 1, dirty))
        return [self.code[number] for number in sorted(exits)]


def parse_functions(listing: str) -> Iterator[Function]:
    """Read what ``objdump --disassemble --no-show-raw-insn`` prints."""
    name, code = "", list[Instruction]()
    for line in [*listing.splitlines(), "0 <end>:"]:
        if head := _FUNCTION.match(line):
            if code:
                yield Function(name, tuple(code))
            name, code = head[2], []
        elif found := _INSTRUCTION.match(line):
            target = _TARGET.search(found[3])
            code.append(Instruction(int(found[1], 16), found[2], found[3], int(target[1], 16) if target else None))


@dataclass(frozen=True, slots=True)
class Library:
    functions: tuple[Function, ...]
    pointers: tuple[tuple[int, int], ...]  # (where it lies, where it points)
    objects: dict[str, range]

    @classmethod
    def read(cls, path: Path) -> "Library":
        symbols = re.findall(r"^([0-9a-f]+) .{6}O \S+\t([0-9a-f]+) +(\S+)$", _objdump(path, "--syms"), re.MULTILINE)
        return cls(
            tuple(parse_functions(_objdump(path, "--disassemble", "--no-show-raw-insn"))),
            tuple((int(at, 16), int(to, 16)) for at, to in _RELOCATION.findall(_objdump(path, "--dynamic-reloc"))),
            {name: range(int(at, 16), int(at, 16) + int(size, 16)) for at, size, name in symbols},
        )

    def ways_in(self, functions: list[Function], *, allowed: range) -> list[str]:
        """Return what calls, mentions or points to ``functions``, but for themselves and pointers in ``allowed``."""
        ways = [
            f"{caller.name}: {instruction.mnemonic} {instruction.operands}"
            for caller in self.functions
            if caller not in functions
            for instruction in caller.code
            if any(instruction.target in function for function in functions)
        ]
        ways += [
            f"pointer at {at:#x}"
            for at, to in self.pointers
            if at not in allowed and any(to in function for function in functions)
        ]
        return ways


def _objdump(path: Path, *options: str) -> str:
    return subprocess.run(["objdump", *options, path], capture_output=True, text=True, check=True).stdout
