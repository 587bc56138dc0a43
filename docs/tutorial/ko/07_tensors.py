r"""
7. 형상
=======

지금까지의 값은 수 하나이거나, 서로 관계없는 수 여럿이었습니다. 신경망은 수를 옮기고
복사하고 더하는 함수로 이루어집니다. 이 함수들에도 모두 돌아가는 길이 있고, 원리는
언제나 같습니다. *기울기는 값과 형상이 같으며, 값이 온 길을 되돌아갑니다.*

**이 페이지에서 배우는 것**

- ``reshape``, ``sum``, 브로드캐스트, 인덱싱, ``matmul``\ 의 역전파
- 브로드캐스트를 되돌리는 ``sum_to``
- 기울기의 의미를 한눈에 보는 방법

(책의 37~41단계)
"""

# %%
# 원소별 계산
# -----------
#
# 연산자와 ``exp`` 같은 함수는 형상이 어떻든 원소를 하나씩 따로 다룹니다.
# ``backward``\ 는 보통 수 하나에서 시작합니다. 배열에서 시작하면 모든 원소가 1인
# 기울기로 시작하며, 이것은 합의 기울기와 같습니다.

import matplotlib.pyplot as plt
import numpy as np

from tensorgrad import Variable
from tensorgrad import functions as F

x = Variable(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))
F.sum(x * x).backward()
print(x.grad)

# %%
# 원소 옮기기
# -----------
#
# ``reshape``\ 이나 전치 같은 함수는 원소의 자리를 바꿉니다. 역전파에서는 기울기가
# 원소가 있던 자리로 돌아갑니다. 눈으로 보기 위해 결과의 원소마다 다른 가중치를
# 곱합니다. 기울기는 각 가중치를 제 원소의 자리로 가져와야 합니다.

weights = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])

x.cleargrad()
(x.reshape(3, 2) * weights).sum().backward()
print("reshape:", x.grad, sep="\n")

x.cleargrad()
(x.T * weights).sum().backward()
print("transposed:", x.grad, sep="\n")
assert np.array_equal(x.grad.data, weights.T)

# %%
# 더하기와 복사는 서로 반대입니다
# -------------------------------
#
# ``sum``\ 은 여러 수를 하나로 만듭니다. 그중 하나가 조금 커지면 합도 그만큼 커집니다.
# 그래서 역전파에서는 모든 원소가 기울기의 *복사본*\ 을 받습니다.
#
# 브로드캐스트는 반대입니다. NumPy는 작은 배열을 큰 배열에 맞을 때까지 복사합니다. 작은
# 배열의 원소가 커지면 모든 복사본에서 결과가 커집니다. 그래서 역전파에서는 복사본들의
# 기울기를 *더합니다*.

x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
b = Variable(np.array([10.0, 20.0, 30.0]))
y = x + b
F.sum(y * y).backward()
print("shape of y", y.shape, "| gradient of b", b.grad, "of shape", b.grad.shape)

# %%
# ``b``\ 는 두 행에 더해졌습니다. 그 기울기는 행 방향으로 더한 합이며, 형상은 ``b``\ 와
# 같습니다. 이 연산만 따로 한 것이 ``sum_to``\ 입니다. 브로드캐스트하면 지금 형상이 되는
# 작은 형상으로, 배열을 더해서 줄입니다.

gy = 2 * y.data
print(F.sum_to(gy, (3,)))
assert np.array_equal(b.grad.data, F.sum_to(gy, (3,)).data)

# %%
# tensorgrad에서는 브로드캐스트를 되돌리는 일을 역전파 엔진이 맡습니다. 직접 만든
# ``Function``\ 은 공식대로 구한 기울기를 브로드캐스트된 형상 그대로 돌려주면 되고,
# 엔진이 그것을 합산합니다.
#
# 원소 고르기
# -----------
#
# ``x[index]``\ 는 원소 몇 개를 골라냅니다. 고르지 않은 원소는 결과와 관계가 없으므로
# 기울기가 0입니다. 두 번 고른 원소는 두 몫을 받습니다.

x = Variable(np.zeros(6))
F.sum(x[np.array([1, 1, 1, 4])]).backward()
print(x.grad)
assert x.grad.data.tolist() == [0.0, 3.0, 0.0, 0.0, 1.0, 0.0]

# %%
# 기울기는 영향력의 그림입니다
# ----------------------------
#
# 지금까지 본 것은 모두 그림으로 볼 수 있습니다. 다음은 6 x 8 배열의 여러 부분을 더한
# 값의 기울기입니다. 흰색은 0이고, 원소가 많이 쓰일수록 색이 짙습니다.


def influence(f):
    x = Variable(np.zeros((6, 8)))
    F.sum(f(x)).backward()
    return x.grad.data


rows = np.array([0, 2, 2, 5])
hills = np.random.default_rng(0).normal(size=(6, 8))
parts = {
    "x[1:4, 2:6]": influence(lambda x: x[1:4, 2:6]),
    "x[::2, ::-3]": influence(lambda x: x[::2, ::-3]),
    "x[[0, 2, 2, 5]]": influence(lambda x: x[rows]),
    "diagonal(x)": influence(F.diagonal),
    "sums of 3 x 3 windows": influence(
        lambda x: sum(x[i : i + 4, j : j + 6] for i in range(3) for j in range(3))
    ),
    "max of each row": influence(lambda x: F.max(x + hills, axis=1)),
}

figure, axes = plt.subplots(2, 3, figsize=(8, 4), layout="constrained")
for ax, (title, gradient) in zip(axes.flat, parts.items(), strict=True):
    ax.imshow(gradient, cmap="Blues", vmin=0)
    ax.set_title(title, fontsize=9)
    ax.set(xticks=[], yticks=[])
plt.show()

assert parts["x[[0, 2, 2, 5]]"][2].tolist() == [2.0] * 8
assert parts["sums of 3 x 3 windows"].max() == 9

# %%
# 다섯 번째 그림의 창들은 서로 겹칩니다. 가운데 원소는 아홉 개의 창에 들어가지만
# 모서리의 원소는 하나에만 들어갑니다. 이것이 합성곱이 하는 일이며, 11페이지에서 다시
# 다룹니다.
#
# 행렬의 곱
# ---------
#
# 신경망에는 함수가 하나 더 필요합니다. 형상이 (N, D)인 :math:`x`\ 와 (D, H)인
# :math:`W`\ 에 대해 :math:`y = x W`\ 이면
# :math:`y_{nh} = \sum_d x_{nd} W_{dh}`\ 입니다. 곧 :math:`x_{nd}`\ 는 모든
# :math:`h`\ 에 대해 :math:`W_{dh}`\ 만큼 :math:`y_{nh}`\ 에 작용합니다. 따라서
#
# .. math:: g_x = g_y W^T, \qquad g_W = x^T g_y
#
# 입니다. 외울 필요는 없습니다. 형상을 맞추면 다른 선택이 없기 때문입니다. 형상이 (N,
# H)인 :math:`g_y`\ 와 (D, H)인 :math:`W`\ 로 (N, D)를 만드는 행렬 곱은 이것뿐입니다.

rng = np.random.default_rng(0)
x = Variable(rng.normal(size=(4, 3)))
W = Variable(rng.normal(size=(3, 2)))
y = x @ W
gy = rng.normal(size=(4, 2))
y.backward(grad=gy)
print("shapes of the gradients:", x.grad.shape, W.grad.shape)
assert np.allclose(x.grad.data, gy @ W.data.T)
assert np.allclose(W.grad.data, x.data.T @ gy)

# %%
# ``backward(grad=...)``\ 는 1 대신 지정한 기울기에서 시작합니다.
#
# 몇몇 축에 대한 곱의 합이라면 무엇이든 ``einsum``\ 으로 쓸 수 있고, 이것도 미분할 수
# 있습니다. 예를 들어 행렬 곱의 대각합을 행렬 곱 없이 구합니다.

c = rng.normal(size=(3, 4))
x.cleargrad()
trace = F.einsum("ij,ji->", x, c)
trace.backward()
print(trace.item(), "=", np.trace(x.data @ c))
assert np.allclose(x.grad.data, c.T)

# %%
# 지금까지 얻은 것
# ----------------
#
# - 원소를 옮기는 함수는 기울기를 제자리로 옮깁니다. 더한 것은 복사하고, 복사한 것은
#   더합니다.
# - 기울기의 형상은 값의 형상과 같습니다. 다르다면 숫자를 보기 전에 이미 어딘가 틀린
#   것입니다.
# - ``sum_to``, ``broadcast_to``, 인덱싱, ``@``, ``einsum``\ 은 몇 번이든 미분할 수
#   있습니다.
#
# **더 보기**: `tensorgrad.functions.sum_to`, `tensorgrad.functions.einsum`. 다음
# 페이지: :doc:`08_regression`
