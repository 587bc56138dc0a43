"""Past one machine: the ranks of an MPI program train together.

A script begins with ``comm = create_communicator()`` and is started with ``mpiexec -n 4 python train.py``;
started without ``mpiexec``, it runs alone.
"""

from typing import TYPE_CHECKING

from tensorgrad.lazy import later

if TYPE_CHECKING:  # loaded when first asked for: see the table below
    from tensorgrad.distributed.checkpoints import load_checkpoint as load_checkpoint
    from tensorgrad.distributed.checkpoints import save_checkpoint as save_checkpoint
    from tensorgrad.distributed.creation import Communicator as Communicator
    from tensorgrad.distributed.creation import LocalCommunicator as LocalCommunicator
    from tensorgrad.distributed.creation import create_communicator as create_communicator
    from tensorgrad.distributed.data import DistributedSampler as DistributedSampler
    from tensorgrad.distributed.data import average_metrics as average_metrics
    from tensorgrad.distributed.data import mean_loss as mean_loss
    from tensorgrad.distributed.mpi import MpiCommunicator as MpiCommunicator
    from tensorgrad.distributed.nccl import NcclCommunicator as NcclCommunicator
    from tensorgrad.distributed.normalization import SyncBatchNorm as SyncBatchNorm
    from tensorgrad.distributed.normalization import synchronize_batch_norm as synchronize_batch_norm
    from tensorgrad.distributed.optimizer import DistributedOptimizer as DistributedOptimizer
    from tensorgrad.distributed.parallel import ColumnParallelLinear as ColumnParallelLinear
    from tensorgrad.distributed.parallel import RowParallelLinear as RowParallelLinear
    from tensorgrad.distributed.sharded import ShardedOptimizer as ShardedOptimizer
    from tensorgrad.distributed.structure import broadcast_parameters as broadcast_parameters
    from tensorgrad.distributed.structure import check_structure as check_structure

__getattr__, __dir__ = later(
    __name__,
    {
        "checkpoints": "load_checkpoint save_checkpoint",
        "creation": "Communicator LocalCommunicator create_communicator",
        "data": "DistributedSampler average_metrics mean_loss",
        "mpi": "MpiCommunicator",
        "nccl": "NcclCommunicator",
        "normalization": "SyncBatchNorm synchronize_batch_norm",
        "parallel": "ColumnParallelLinear RowParallelLinear",
        "optimizer": "DistributedOptimizer",
        "sharded": "ShardedOptimizer",
        "structure": "broadcast_parameters check_structure",
    },
)
