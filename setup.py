"""Builds the Cython kernels; everything else about the package stands in pyproject.toml."""

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = [
    Extension(
        "balancer_core._kernels.place",
        ["balancer_core/_kernels/place.pyx"],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        # No fused multiply-add and no reassociation: the kernel must give the reference's bits.
        extra_compile_args=["-O3", "-ffp-contract=off"],
    ),
]

setup(ext_modules=cythonize(KERNELS, language_level="3"))
