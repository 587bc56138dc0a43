"""Past one machine: the ranks of an MPI program train together.

A script begins with ``comm = create_communicator()`` and is started with ``mpiexec -n 4 python train.py``;
started without ``mpiexec``, it runs alone.
"""

from typing import TYPE_CHECKING

from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.distributed.creation import Communicator as Communicator
    from tensorgrad.distributed.creation import LocalCommunicator as LocalCommunicator
    from tensorgrad.distributed.creation import create_communicator as create_communicator
    from tensorgrad.distributed.data import DistributedSampler as DistributedSampler
    from tensorgrad.distributed.data import average_metrics as average_metrics
    from tensorgrad.distributed.data import mean_loss as mean_loss
    from tensorgrad.distributed.mpi import MpiCommunicator as MpiCommunicator
    from tensorgrad.distributed.nccl import NcclCommunicator as NcclCommunicator

__getattr__, __dir__ = later(
    __name__,
    {
        "data": "DistributedSampler average_metrics mean_loss",
        "creation": "Communicator LocalCommunicator create_communicator",
        "mpi": "MpiCommunicator",
        "nccl": "NcclCommunicator",
    },
)
