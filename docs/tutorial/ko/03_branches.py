r"""
3. 검산, 갈림길, 세대
=====================

손으로 쓴 도함수는 틀릴 수 있습니다. 그래서 먼저 쉽게 속지 않는 검산 방법을
마련합니다. 그다음에는 그래프에 갈림길이 생깁니다. 입력이 여럿인 함수, 여러 번 쓰이는
값, 그리고 돌아갈 때의 순서를 다룹니다.

**이 페이지에서 배우는 것**

- 차분으로 기울기를 검산하는 방법과 그 정밀도
- 입력과 출력이 여럿인 함수
- 기울기를 더하는 이유와 ``cleargrad``\ 의 쓰임
- ``backward``\ 가 그래프를 방문하는 순서

(책의 4단계와 10~16단계)
"""

# %%
# 차분으로 구하는 도함수
# ----------------------
#
# 도함수는 두 점 사이 기울기의 극한입니다. 그러므로 아주 가까운 두 점 사이의 기울기는
# 도함수에 가깝습니다. :math:`x`\ 와 :math:`x + h` 사이보다 :math:`x - h`\ 와
# :math:`x + h` 사이의 기울기가 더 정확합니다. 그러면 거리는 얼마나 짧아야 할까요?
# 도함수가 :math:`e`\ 인 1에서의 :math:`e^x`\ 로 여러 거리를 모두 시험해 봅니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad.testing import check_gradients

h = np.logspace(-15, 0, 61)
forward = (np.exp(1 + h) - np.exp(1)) / h
central = (np.exp(1 + h) - np.exp(1 - h)) / (2 * h)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.loglog(h, np.abs(forward - np.e), label="forward difference")
axes.loglog(h, np.abs(central - np.e), label="central difference")
axes.set(xlabel="h", ylabel="error of the derivative")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

best = h[np.argmin(np.abs(central - np.e))]
print(f"best h for the central difference: about {best:.0e}")
assert np.abs(central - np.e).min() < 1e-9

# %%
# 그림에서 두 가지 오차를 볼 수 있습니다. 오른쪽에서는 :math:`h`\ 가 너무 깁니다. 곡선이
# 휘어 있기 때문이며, 오차는 :math:`h`\ 에 비례해, 중앙 차분에서는 :math:`h^2`\ 에
# 비례해 줄어듭니다. 왼쪽에서는 :math:`h`\ 가 너무 짧습니다. 두 값이 거의 같아서 그
# 차이에는 반올림 오차만 남습니다. 그 사이에서 중앙 차분은 열 자리 정도까지 맞습니다.
#
# 검산에는 충분하지만, 다른 용도에는 정밀도가 모자라고 너무 느립니다. 가중치가 백만 개인
# 신경망이라면 기울기를 한 번 구하는 데 순전파를 2백만 번 해야 합니다. ``backward``\ 는
# 한 번이면 됩니다.
#
# 쉽게 속지 않는 검산
# -------------------
#
# ``check_gradients``\ 는 모든 입력의 모든 원소에서 ``backward``\ 의 결과를 중앙 차분과
# 비교합니다. 일치하면 아무 말도 하지 않습니다. 다음 함수에는 실수가 있습니다. 계수 2가
# 빠졌습니다.


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return gy * x


try:
    check_gradients(Square(), [np.array([1.0, -3.0])])
except AssertionError as error:
    print(error)

# %%
# 메시지는 몇 번째 입력의 어느 원소가 다른지, 두 값이 무엇인지 알려 줍니다.
# ``tensorgrad.utils.gradient_check``\ 는 같은 검사를 책의 이름으로 제공하며 True나
# False를 돌려줍니다.
#
# 여러 입력, 여러 출력
# --------------------
#
# 극좌표의 점 :math:`(r, \varphi)`\ 는 평면에서
# :math:`(r \cos\varphi, r \sin\varphi)`\ 입니다. 입력이 둘, 출력이 둘인 계산입니다.
# ``forward``\ 는 튜플을 돌려주고, ``backward``\ 는 출력마다 하나씩 기울기를 받아
# 입력마다 하나씩 돌려줍니다.


class PolarToPlane(Function):
    def forward(self, r, angle):
        return r * self.xp.cos(angle), r * self.xp.sin(angle)

    def backward(self, g0, g1):
        r, angle = self.inputs
        cos, sin = tg.cos(angle), tg.sin(angle)
        return g0 * cos + g1 * sin, r * (g1 * cos - g0 * sin)


r, angle = Variable(np.array(2.0)), Variable(np.array(np.pi / 6))
u, v = PolarToPlane()(r, angle)
print(f"u = {u.item():.4f}, v = {v.item():.4f}")

v.backward()
print(f"dv/dr = {r.grad.item():.4f}, dv/dangle = {angle.grad.item():.4f}")
check_gradients(PolarToPlane(), [np.array([2.0, 0.5]), np.array([0.1, 3.0])])

# %%
# ``backward``\ 에서 각 입력은 *모든* 출력에서 오는 기울기를 모읍니다. ``u``\ 는 우리가
# 거슬러 올라간 값과 관계가 없으므로 그 기울기 ``g0``\ 은 0이었습니다.
#
# 두 번 쓰면 두 번 더합니다
# -------------------------
#
# ``x * x``\ 에서는 두 인수가 같은 상자입니다. 곱의 미분 법칙에서 항이 두 개 나오고,
# ``x``\ 의 기울기는 그 합입니다. 당연한 일입니다. ``x``\ 가 커지면 두 자리에서 함께
# 커지기 때문입니다.

x = Variable(np.array(3.0))
y = x * x
y.backward()
print("by one backward:", x.grad)

# %%
# 같은 이유로 ``backward``\ 를 다시 호출하면 이미 있는 기울기에 더해집니다. 그것을
# 원하지 않을 때는 ``cleargrad``\ 로 비웁니다.

y = x + x
y.backward()
print("6 from before, and 2:", x.grad)

x.cleargrad()
y = x + x
y.backward()
print("after cleargrad:", x.grad)

# %%
# 어느 쪽이 먼저일까요?
# ---------------------
#
# 한 줄로 이어진 계산에서는 돌아가는 길이 하나입니다. 다음에서는 길이 갈라집니다.
#
# .. math:: a = x^2, \qquad y = a^2 + e^{a}
#
# ``a``\ 는 두 함수가 사용합니다. 한쪽의 기울기만 도착했을 때 ``a``\ 를 지나가 버리면
# 기울기의 절반이 빠집니다. 그렇다고 두 번 지나가면 갈림길마다 일이 두 배가 됩니다.
# 갈림길이 서른 개면 방문이 10억 번입니다. 따라서 함수는 자신의 출력을 사용한 쪽이 모두
# 끝날 때까지 기다려야 합니다.
#
# 그 순서를 정하는 수가 *세대*\ (generation)입니다. 직접 만든 값의 세대는 0이고,
# 계산으로 얻은 값의 세대는 그 값을 만든 함수의 입력 가운데 가장 큰 세대에 1을 더한
# 수입니다.

x = Variable(np.array(2.0), name="x")
a = x**2
square, exponential = a**2, tg.exp(a)
y = square + exponential
values = {"x": x, "a": a, "a ** 2": square, "exp(a)": exponential, "y": y}
for name, v in values.items():
    print(f"{name:7} generation {v.generation}")

# %%
# ``backward``\ 는 기다리는 함수 가운데 언제나 출력의 세대가 가장 큰 것을 꺼냅니다. 어떤
# 값으로 계산한 값은 원래 값보다 세대가 큽니다. 그래서 어떤 함수의 차례가 왔을 때 그
# 출력의 기울기는 이미 다 모여 있습니다. 기다리는 함수들은 가장 큰 것부터 꺼낼 수 있는
# 힙(heap)에 둡니다.

y.backward()
by_hand = (2 * 4 + np.exp(4)) * 2 * 2
print(f"{x.grad.item():.4f}; by hand, (2 a + exp(a)) 2 x: {by_hand:.4f}")
assert np.isclose(x.grad.item(), by_hand)

# %%
# 더 어려운 시험도 통과합니다. 값을 두 번 사용하는 일을 마흔 번 되풀이합니다. 이
# 그래프에는 길이 :math:`2^{40}`\ 개, 약 1조 개 있지만, 마흔 번만 방문하면 됩니다.

x = Variable(np.array(1.0))
y = x
for _ in range(40):
    y = y + y
y.backward()
print("ways:", int(x.grad.item()), "=", 2**40)
assert x.grad.item() == 2**40

# %%
# 지금까지 얻은 것
# ----------------
#
# - ``check_gradients(f, inputs)``\ 는 잘못된 도함수를 찾아내고 어디가 틀렸는지 알려
#   줍니다.
# - 함수는 입력과 출력을 여러 개 가질 수 있습니다.
# - 기울기는 더해집니다. 새로 시작하려면 ``cleargrad``\ 를 호출합니다.
# - 세대 덕분에 각 함수는 기울기가 다 모인 뒤 한 번만 방문됩니다.
#
# **더 보기**: 레퍼런스의 `tensorgrad.testing`. 다음 페이지: :doc:`04_memory`
