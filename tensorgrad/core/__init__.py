"""The graph and its engine: Variable, Function, backward, configuration."""

from tensorgrad.core import backward as backward
from tensorgrad.core.config import Config as Config
from tensorgrad.core.config import autocast as autocast
from tensorgrad.core.config import no_grad as no_grad
from tensorgrad.core.config import test_mode as test_mode
from tensorgrad.core.config import using_config as using_config
from tensorgrad.core.default import default_backend as default_backend
from tensorgrad.core.default import get_default_backend as get_default_backend
from tensorgrad.core.default import set_default_backend as set_default_backend
from tensorgrad.core.default import using_backend as using_backend
from tensorgrad.core.engine import namespace_of as namespace_of
from tensorgrad.core.engine import sum_to as sum_to
from tensorgrad.core.function import ArrayLike as ArrayLike
from tensorgrad.core.function import Function as Function
from tensorgrad.core.function import Input as Input
from tensorgrad.core.function import Op as Op
from tensorgrad.core.function import Output as Output
from tensorgrad.core.seeding import seed as seed
from tensorgrad.core.variable import Parameter as Parameter
from tensorgrad.core.variable import Variable as Variable
from tensorgrad.core.variable import as_array as as_array
from tensorgrad.core.variable import as_variable as as_variable
