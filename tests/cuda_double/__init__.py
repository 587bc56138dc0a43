"""A double of CuPy for machines without a device.

Its arrays are NumPy's behind the names, signatures and refusals of the CuPy that is installed; its kernels
are the text of the CUDA kernels, compiled by the host's C++ compiler. ``TENSORGRAD_CUPY_DOUBLE=1`` puts it in
CuPy's place for the tests.
"""
