"""Builds the compiled kernels; all else is declared in pyproject.toml.

Without a C++ compiler the package installs all the same, and ``semamba info``
says why the kernels are missing. With SEMAMBA_BUILD=1 a failure is fatal.
"""

import os
import pathlib
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

CSRC = pathlib.Path("speechbrain_semamba", "csrc")
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
]
#: One copy of the kernels for each; library.cpp takes the best at run time.
INSTRUCTIONS = {"plain": []}
if platform.machine() in ("x86_64", "AMD64"):
    avx512 = [f"-mavx512{part}" for part in ("f", "bw", "dq", "vl")]
    INSTRUCTIONS["avx2"] = ["-mavx2", "-mfma"]
    INSTRUCTIONS["avx512"] = ["-mavx2", "-mfma", *avx512]


class BuildKernels(build_ext):
    """Compiles csrc into one library, loaded through its C functions."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"

    def build_extension(self, extension):
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        reason = target.with_suffix(".error")
        for old in (target, reason):
            old.unlink(missing_ok=True)
        # Apple's compiler knows no OpenMP: then one thread is better than none
        for threads in (["-fopenmp"], []):
            try:
                return self.compile(target, threads)
            except (OSError, subprocess.CalledProcessError) as error:
                problem = error
        if os.environ.get("SEMAMBA_BUILD") == "1":
            raise SystemExit(f"SEMAMBA_BUILD=1, but {describe(problem)}")
        reason.write_text(describe(problem) + "\n")
        print(f"kernels not built: {describe(problem)}", file=sys.stderr)

    def copy_extensions_to_source(self):
        """In place, which is what an editable installation does."""
        for extension in self.extensions:
            name = self.get_ext_filename(extension.name)
            for suffix in (".so", ".error"):
                target = pathlib.Path(name).with_suffix(suffix)
                built = pathlib.Path(self.build_lib, target)
                target.unlink(missing_ok=True)
                if built.exists():
                    self.copy_file(str(built), str(target))

    def compile(self, target, threads):
        compiler = os.environ.get("CXX", "c++")
        folder = pathlib.Path(self.build_temp)
        folder.mkdir(parents=True, exist_ok=True)
        jobs = {"library": [str(CSRC / "library.cpp")]}
        for name, flags in INSTRUCTIONS.items():
            kernels = f"-DSEMAMBA_KERNELS=kernels_{name}"
            jobs[name] = [str(CSRC / "kernels.cpp"), kernels, *flags]
        objects = [str(folder / f"{name}.o") for name in jobs]

        def compile_one(options, output):
            run(compiler, *FLAGS, *threads, *options, "-c", "-o", output)

        with ThreadPoolExecutor() as pool:
            list(pool.map(compile_one, jobs.values(), objects))
        built = target.with_suffix(".partial")
        run(compiler, "-shared", *threads, *objects, "-o", str(built))
        built.replace(target)


class AnyPython(bdist_wheel):
    """One wheel for all Pythons: the library uses nothing of theirs."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[-1]


def run(*command):
    print(*command, flush=True)
    subprocess.run(
        command, check=True, stderr=subprocess.PIPE, encoding="utf-8"
    )


def describe(problem):
    """An error of the build in one line."""
    if isinstance(problem, OSError):
        return f"the C++ compiler does not start ({problem})"
    lines = [line for line in problem.stderr.splitlines() if "error" in line]
    detail = lines[0] if lines else f"exit status {problem.returncode}"
    return f"the C++ compiler failed ({detail.strip()})"


setup(
    ext_modules=[
        Extension(
            "speechbrain_semamba.ops._kernels",
            optional=True,
            sources=[str(path) for path in sorted(CSRC.glob("*.cpp"))],
            depends=[str(path) for path in sorted(CSRC.glob("*.h"))],
        )
    ],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": AnyPython},
)
