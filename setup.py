"""Builds the Cython kernels and Envoy's picker, packs static/; all else about the package stands in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

# Each is one module of balancer_core/_kernels.
KERNELS = [
    Extension(
        f"balancer_core._kernels.{name}",
        [f"balancer_core/_kernels/{name}.pyx"],
        # No fused multiply-add and no reassociation: the kernel must give the reference's bits. Lines, no variables:
        # what debuggers know of those takes the compiler as long as the code.
        extra_compile_args=["-O3", "-g1", "-ffp-contract=off"],
        depends=sorted(map(str, Path("balancer_core/_kernels").glob("*.h"))),
    )
    for name in (
        "place",
        "hashing",
        "hosts",
        "tournament",
        "bounds",
        "index",
        "room",
        "bins",
        "ejection",
        "reassign",
        "queues",
        "picker",
        "shards",
    )
]

# What Cython needs for memoryviews, once for all kernels: in each of them it would be most of what the compiler reads.
MEMORYVIEWS = Extension(
    "balancer_core._kernels._memoryviews",
    ["balancer_core/_kernels/_memoryviews.c"],
    extra_compile_args=["-O3", "-g1"],
)

# A plain shared object without Python in it, beside its source, under the name by which Envoy looks for it.
PICKER = Extension(
    "console.engines.envoy.picker.libsteelyard",
    ["console/engines/envoy/picker/module.c"],
    include_dirs=["balancer_core/_kernels"],
    # Envoy finds by name what the header marks as visible, and nothing else.
    extra_compile_args=["-std=gnu11", "-O2", "-ffp-contract=off", "-fvisibility=hidden"],
    libraries=["m"],
    depends=[
        "balancer_core/_kernels/picker.h",
        "balancer_core/_kernels/picker_windows.h",
        *sorted(map(str, Path("console/engines/envoy/picker").glob("*.h"))),
    ],
)


class build_all(build_ext):  # noqa: N801 - setuptools' commands are lower case
    """Extensions for Python have its version in their name; Envoy's has not. One is compiled on each core."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = True

    def get_ext_filename(self, fullname: str) -> str:
        # Asked for with and without the packages before it.
        if PICKER.name.endswith(fullname):
            return f"{fullname.replace('.', '/')}.so"
        return super().get_ext_filename(fullname)


class build_pages(build_py):  # noqa: N801 - as above
    """A wheel carries what npm's packages give the pages: who installs it needs no Node."""

    def run(self) -> None:
        if not self.editable_mode and not Path("static/dist/uplot.js").exists():
            raise SystemExit("static/dist/ is not there: make it with `python3 deploy/pages.py`")
        super().run()


# static/ stands at the top for people; in a wheel it becomes a package beside console, where settings look for it.
PAGES = "steelyard_static"

setup(
    packages=[*find_packages(include=["balancer_core*", "agents*", "console*", "clients*"]), PAGES],
    package_dir={PAGES: "static"},
    package_data={
        "": ["*.pyi", "*.pxd", "*.h", "py.typed"],
        "console": ["**/*.html", "**/*.sh"],
        PAGES: ["**/*"],
    },
    ext_modules=[
        *cythonize(
            [*KERNELS, MEMORYVIEWS], language_level="3", shared_utility_qualified_name=MEMORYVIEWS.name
        ),
        PICKER,
    ],
    cmdclass={"build_ext": build_all, "build_py": build_pages},
)
