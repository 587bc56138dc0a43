"""Which communicator a program gets."""

from __future__ import annotations

import os

from tensorgrad.communicator import Communicator as Communicator
from tensorgrad.communicator import LocalCommunicator as LocalCommunicator
from tensorgrad.distributed.mpi import MpiCommunicator, launched
from tensorgrad.distributed.nccl import NcclCommunicator


def create_communicator(
    name: str = "auto", *, debug: bool | None = None, timeout: float | None = None, cuda_aware: bool = False
) -> Communicator:
    """The communicator of this program: of all ranks that ``mpiexec`` started, or of one that runs alone.

    Parameters
    ----------
    name : {'auto', 'local', 'mpi', 'nccl'}
        ``auto`` is ``mpi`` under ``mpiexec`` and ``local`` without it. ``nccl`` sends CuPy arrays from GPU to
        GPU, one GPU for each rank, and the rest over MPI.
    debug : bool, optional
        Compare the ranks before each collective; see `MpiCommunicator`. By default, whether the environment
        variable ``TENSORGRAD_DEBUG_COLLECTIVES`` is set to anything but 0.
    timeout : float, optional
        Seconds after which a collective that another rank does not join is an error. Forever by default.
    cuda_aware : bool, default False
        Whether the MPI library takes arrays on a GPU as they are.

    Raises
    ------
    ValueError
        If there is no such `name`.
    ImportError
        If mpi4py, the MPI library or NCCL is missing; the message says how it is installed.

    Examples
    --------
    >>> comm = tg.distributed.create_communicator()
    >>> comm.rank, comm.size, comm.is_main
    (0, 1, True)
    """
    if name not in ("auto", "local", "mpi", "nccl"):
        raise ValueError(f"create_communicator: expected auto, local, mpi or nccl; got {name!r}")
    if name == "local" or (name == "auto" and not launched()):
        return LocalCommunicator()
    if debug is None:
        debug = os.environ.get("TENSORGRAD_DEBUG_COLLECTIVES", "0") not in ("", "0")
    comm = MpiCommunicator(debug=debug, timeout=timeout, cuda_aware=cuda_aware)
    if name == "nccl":
        return NcclCommunicator(comm)
    return comm
