r"""
1. 배열을 담는 상자
===================

기울기를 구하려면 기울기를 둘 자리가 있어야 합니다. tensorgrad에서는
``Variable``\ (변수)이 그 자리입니다. 변수는 배열을 담는 상자이며, 그 배열에 대해
나중에 알고 싶어질 것을 적어 둘 공간이기도 합니다.

**이 페이지에서 배우는 것**

- ``Variable``\ 에 무엇을 담을 수 있고 무엇을 담을 수 없는지
- 변수로 계산할 때 실제로 어느 라이브러리가 계산하는지
- 배열을 위해 작성한 코드가 왜 변수에도 그대로 통하는지

파이썬과 NumPy의 기초를 알고 있다고 가정합니다. (책의 1, 9, 19단계)
"""

# %%
# 상자 속의 배열
# --------------
#
# 모든 페이지는 같은 임포트로 시작합니다. 배열에는 NumPy, 그림에는 matplotlib, 그리고
# tensorgrad입니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable

data = np.array([1.0, 2.0, 3.0])
x = Variable(data, name="x")
print(x)
print("the array itself:", x.data)
print("no copy was made:", x.data is data)

# %%
# ``x.data``\ 는 여러분이 넣은 바로 그 배열이며 복사본이 아닙니다. 배열에 대해 물을 수
# 있는 것은 상자에도 물을 수 있습니다. 여기에 배열에는 없는 것이 두 가지 더 있습니다.
# 이름, 그리고 기울기를 둘 자리입니다. 기울기 자리는 아직 비어 있습니다.

print("shape", x.shape, "| axes", x.ndim, "| elements", x.size, "| type", x.dtype)
print("name", x.name, "| gradient", x.grad)

# %%
# 상자에 다른 배열을 넣을 수도 있습니다. 그 밖에는 아무것도 바뀌지 않습니다.

x.data = np.array([10.0, 20.0])
print(x)

# %%
# 배열만 담습니다
# ---------------
#
# 숫자나 리스트는 배열이 아닙니다. 이런 값을 받으려면 어느 라이브러리의 어떤 자료형으로
# 만들지 상자가 추측해야 합니다. 그래서 거절하고, 어떻게 하면 되는지 알려 줍니다.

try:
    Variable(1.0)
except TypeError as error:
    print(error)

# %%
# ``np.array(1.0)``\ 은 축이 없는 배열입니다. 여기서는 숫자 하나를 이렇게 씁니다.

half = Variable(np.array(0.5))
print(half, half.shape, half.item())

# %%
# 계산하기
# --------
#
# 배열에 쓰던 연산자와 함수를 상자에 그대로 쓸 수 있고, 결과도 상자입니다.

x = Variable(np.array([1.0, 2.0, 3.0]))
y = 2.0 * x**2 + 1.0
print(y)
print(tg.sqrt(y))

# %%
# 자료형은 유지됩니다. float32 배열에 ``2.0`` 같은 파이썬 숫자를 곱하면 숫자가 배열을
# 따라갑니다. 모르는 사이에 float64로 바뀌는 일은 없습니다.

small = Variable(np.array([1.0, 2.0], dtype=np.float32))
print((2.0 * small + 1.0).dtype)

# %%
# 누가 계산하는지는 배열이 정합니다
# ---------------------------------
#
# tensorgrad에는 고유한 배열 타입이 없습니다. NumPy, CuPy, PyTorch, JAX, dpnp, Dask 등의
# 배열을 받고, 모든 연산은 그 배열이 속한 라이브러리가 수행합니다. ``v.to(name)``\ 은
# 상자를 다른 라이브러리로 옮깁니다. 여기서는
# array-api-strict(``pip install array-api-strict``)를 사용합니다.
# `배열 API 표준 <https://data-apis.org/array-api/latest/>`_\ 이 요구하는 것만 갖춘 작은
# 라이브러리입니다.

moved = x.to("array_api_strict")
square = moved * moved
print(type(x.data).__module__, "->", type(square.data).__module__)

# %%
# 한 계산에 두 라이브러리가 섞이면 한쪽을 다른 쪽으로 복사해야 합니다. 복사는 느릴 수
# 있으므로 몰래 하지 않습니다.

try:
    x + moved
except TypeError as error:
    print(error)

# %%
# 상자도 배열입니다
# -----------------
#
# 표준을 따르는 배열에 ``x.__array_namespace__()``\ 를 호출하면 그 배열에 맞는 함수
# 모음을 돌려줍니다. 이 호출로 시작하는 코드는 어느 라이브러리에서나 실행됩니다. 다음은
# 소프트플러스 함수 :math:`\log(1 + e^x)`\ 를 :math:`x`\ 가 커도 오버플로가 일어나지
# 않게 쓴 것입니다.


def softplus(x):
    xp = x.__array_namespace__()
    return xp.log1p(xp.exp(-xp.abs(x))) + (x + xp.abs(x)) / 2


print(softplus(np.array([-1000.0, 0.0, 1000.0])))
print(softplus(Variable(np.array([-1000.0, 0.0, 1000.0]))))

# %%
# ``softplus``\ 는 tensorgrad를 전혀 모르는데도 변수를 받습니다. 변수도 배열처럼 이
# 호출에 답하기 때문입니다. 변수가 돌려주는 함수들은 같은 값을 계산하면서 *어떻게
# 계산했는지도 기억합니다*. 상자는 바로 이 기억을 위해 있고, 다음 페이지가 그
# 이야기입니다.
#
# 이것으로 무엇을 할 수 있는지 먼저 보겠습니다. 소프트플러스의 값을 구하고, 한 줄을 더해
# 모든 점에서의 기울기를 구합니다. 도함수는 어디에도 적지 않았습니다.

x = Variable(np.linspace(-6.0, 6.0, 121))
y = softplus(x)
y.sum().backward()

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(x.data, y.data, label="softplus")
axes.plot(x.data, x.grad.data, label="its slope")
axes.set(xlabel="x")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

# %%
# 소프트플러스의 도함수는 시그모이드 :math:`1 / (1 + e^{-x})`\ 로 알려져 있습니다.
# 결과가 맞는지 확인합니다.

sigmoid = 1.0 / (1.0 + np.exp(-x.data))
error = np.abs(x.grad.data - sigmoid).max()
print(f"largest difference: {error:.1e}")
assert error < 1e-12

# %%
# 지금까지 얻은 것
# ----------------
#
# - ``Variable(array)``: 배열은 ``data``\ 에, 기울기 자리는 ``grad``\ 에, 이름은
#   ``name``\ 에 있습니다.
# - 계산은 배열이 속한 라이브러리가 하고, 자료형은 유지됩니다.
# - 배열 API로 쓴 코드는 변수에서도 실행되며, 미분이 함께 따라옵니다.
#
# **더 보기**: 레퍼런스의 `tensorgrad.Variable`. 다음 페이지: :doc:`02_functions`
