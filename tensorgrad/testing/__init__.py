"""A test kit for functions of your own: gradients against differences, and arrays against arrays.

The helpers assert: they return nothing, and raise an AssertionError that says what differs where.
"""

from tensorgrad.testing.arrays import assert_close as assert_close
from tensorgrad.testing.arrays import make_arrays as make_arrays
from tensorgrad.testing.gradients import check_gradients as check_gradients
from tensorgrad.testing.gradients import numerical_grad as numerical_grad
