"""Training: `Trainer` and what goes with it. Whoever prefers to write the loop needs none of it."""

from tensorgrad.training.callbacks import Callback as Callback
from tensorgrad.training.callbacks import EarlyStopping as EarlyStopping
from tensorgrad.training.callbacks import KeepBest as KeepBest
from tensorgrad.training.callbacks import Monitor as Monitor
from tensorgrad.training.curves import Curves as Curves
from tensorgrad.training.curves import LiveCurves as LiveCurves
from tensorgrad.training.evaluation import Whole as Whole
from tensorgrad.training.logs import CSVLog as CSVLog
from tensorgrad.training.logs import JSONLinesLog as JSONLinesLog
from tensorgrad.training.logs import TensorBoardLog as TensorBoardLog
from tensorgrad.training.trainer import Trainer as Trainer
