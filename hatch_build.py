"""Compiles the CPU kernels in C where there is a compiler; without one the package is installed all the same.

One library for each generation of x86-64 processors, next to the source; ``graphvae/kernels/native.py`` picks one when
it is first needed. Everything works without them, at the speed of torch's own operators.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = Path("graphvae") / "kernels"
SOURCE = KERNELS / "native.c"
LEVELS = ("x86-64-v3", "x86-64-v4")
# No -ffast-math: sums are taken in the order that is written.
FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math")


class NativeKernels(BuildHookInterface):
    """Hatchling's hook: called before a wheel, or an editable install, is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say so in the wheel's name."""
        if self.target_name != "wheel":
            return
        libraries = self.compile()
        if version != "editable":
            build_data["force_include"].update({str(Path(self.root) / each): each.as_posix() for each in libraries})
            if libraries:
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def compile(self) -> list[Path]:
        """The libraries that could be made."""
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None or platform.system() != "Linux" or platform.machine() != "x86_64":
            self.app.display_info("graphvae: no C compiler for x86-64 Linux; the CPU kernels are torch's operators")
            return []
        source = Path(self.root) / SOURCE
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        made = []
        for level in LEVELS:
            library = KERNELS / f"_native_{level.rpartition('-')[2]}.so"
            draft = Path(self.root) / library.with_suffix(".tmp")
            command = [
                compiler,
                *FLAGS,
                f"-march={level}",
                f'-DDIGEST="{digest}"',
                "-o",
                str(draft),
                str(source),
                "-lm",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                self.app.display_warning(f"graphvae: {' '.join(command)} failed:\n{done.stderr}")
                draft.unlink(missing_ok=True)
                continue
            # In one step: another process may have the old library open.
            draft.replace(Path(self.root) / library)
            made.append(library)
        return made
