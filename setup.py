"""Builds the Cython kernels and packs static/; everything else about the package stands in pyproject.toml."""

from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

# Each is one module of balancer_core/_kernels.
KERNELS = [
    Extension(
        f"balancer_core._kernels.{name}",
        [f"balancer_core/_kernels/{name}.pyx"],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        # No fused multiply-add and no reassociation: the kernel must give the reference's bits.
        extra_compile_args=["-O3", "-ffp-contract=off"],
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
    )
]

# static/ stands at the top for people; in a wheel it becomes a package beside console, where settings look for it.
PAGES = "steelyard_static"

setup(
    packages=[*find_packages(include=["balancer_core*", "agents*", "console*", "clients*"]), PAGES],
    package_dir={PAGES: "static"},
    package_data={"": ["*.pyi", "*.pxd", "*.h", "py.typed"], "console": ["**/*.html"], PAGES: ["**/*"]},
    ext_modules=cythonize(KERNELS, language_level="3"),
)
