r"""
2. 함수와 계산 그래프
=====================

기울기는 계산을 거꾸로 따라가며 구합니다. 그러려면 누군가 계산 과정을 기억하고 있어야
합니다. 이 페이지에서는 먼저 손으로 해 보고, 다음에는 객체에게 맡기고, 마지막으로
라이브러리에 맡깁니다.

**이 페이지에서 배우는 것**

- 결과에서 입력으로 거슬러 올라가는 길로 이해하는 연쇄 법칙
- 도함수를 갖춘 ``Function``\ (함수)을 작성하는 방법
- 계산 그래프란 무엇이며 ``backward``\ 가 그 위에서 하는 일

(책의 2, 3단계와 5~8단계)
"""

# %%
# 손으로 하기
# -----------
#
# 종 모양 곡선 :math:`y = e^{-x^2}`\ 은 작은 계산 세 개를 차례로 이은 것입니다.
#
# .. math:: a = x^2, \qquad b = -a, \qquad y = e^b
#
# 순전파에서는 각 단계가 앞 단계의 결과를 사용합니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Function, Variable

x = 0.5
a = x**2
b = -a
y = np.exp(b)
print(f"a = {a}, b = {b}, y = {y:.6f}")

# %%
# 역전파에서는 지점마다 이렇게 묻습니다. 이 값이 조금 커지면 :math:`y`\ 는 얼마나
# 커질까요? :math:`y` 자신에 대한 답은 1입니다. 나머지는 바로 다음 지점의 답에 그 사이
# 단계의 도함수를 곱한 값입니다. 이것이 연쇄 법칙이며, 왼쪽부터 읽으면 됩니다.
#
# .. math::
#
#    \frac{dy}{dx} = \frac{dy}{dy} \, \frac{dy}{db} \, \frac{db}{da} \, \frac{da}{dx}

gy = 1.0
gb = gy * np.exp(b)  # exp의 도함수는 exp입니다
ga = gb * -1.0
gx = ga * 2 * x
print(f"gb = {gb:.6f}, ga = {ga:.6f}, gx = {gx:.6f}")
print(f"by the formula, -2 x exp(-x^2): {-2 * x * np.exp(-(x**2)):.6f}")

# %%
# 두 가지를 눈여겨볼 만합니다. 돌아가는 길에는 갈 때의 값 ``b``\ 와 ``x``\ 가
# 필요합니다. 그리고 각 줄은 자기 단계만 알면 됩니다. 그러므로 한 단계를 하나의 객체로
# 만들 수 있습니다. 앞으로 계산하고, 필요한 값을 간직하고, 돌아가는 길을 아는
# 객체입니다.
#
# 한 단계를 객체로
# ----------------
#
# 그 객체가 ``Function``\ 입니다. ``forward``\ 는 배열을 받아 배열을 돌려줍니다.
# ``backward``\ 는 출력의 기울기를 받아 입력의 기울기를 돌려줍니다. 입력은
# ``self.inputs``\ 에 있습니다.


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return gy * 2 * x


class Negative(Function):
    def forward(self, x):
        return -x

    def backward(self, gy):
        return -gy


class Exponential(Function):
    def forward(self, x):
        return self.xp.exp(x)

    def backward(self, gy):
        (x,) = self.inputs
        return gy * tg.exp(x)


# %%
# ``self.xp``\ 는 들어온 배열이 속한 라이브러리입니다. 이것을 쓰면 함수가 어느
# 라이브러리에서나 동작합니다. 객체는 함수처럼 호출하며, 상자를 넘깁니다.

x = Variable(np.array(0.5), name="x")
y = Exponential()(Negative()(Square()(x)))
print(y)

# %%
# 계산이 남긴 자취
# ----------------
#
# 결과는 상자이고, 상자는 자신이 어디에서 왔는지 압니다. ``creator``\ 는 그 상자를 만든
# 함수입니다. 함수는 자신의 ``inputs``\ 를 알고, 이것도 상자입니다. 그래서 결과에서
# ``x``\ 까지 계산을 거슬러 올라갈 수 있습니다.

v = y
while v.creator is not None:
    (source,) = v.creator.inputs
    maker = type(v.creator).__name__
    print(f"{v.item():9.6f} was made by {maker:11} from {source.item():9.6f}")
    v = source
print("the walk ends at", v.name)

# %%
# 상자와 그 사이의 함수, 이것이 계산의 *그래프*, 곧 계산 그래프입니다. 누가 선언한 것이
# 아니라 파이썬이 실행되는 동안 생겨났습니다. 이런 방식을 *Define-by-Run*\ 이라고
# 합니다. 그래프에는 실제로 실행된 것만 들어가므로 반복문이나 조건문에 특별한 문법이
# 필요 없습니다.
#
# 돌아가는 길
# -----------
#
# 그래프가 있으면 손으로 걸었던 길은 세 줄짜리 반복문이 됩니다. ``gradient``\ 는 1에서
# 시작하고, 함수마다 출력의 기울기를 입력의 기울기로 바꿉니다.

gradient = Variable(np.array(1.0))
v = y
while v.creator is not None:
    gradient = v.creator.backward(gradient)
    (v,) = v.creator.inputs
    print(f"gradient {gradient.item():9.6f}")

# %%
# 위에서 얻은 수와 같습니다. 라이브러리에서 이 반복문에 해당하는 것이
# ``backward``\ 이며, 결과는 앞 페이지에서 비워 둔 자리에 들어갑니다.

y.backward()
print("x.grad =", x.grad.item())
assert np.isclose(x.grad.item(), gx)

# %%
# 준비된 함수들
# -------------
#
# 물론 이 세 함수는 이미 있고, 그 밖에도 200개가 넘는 함수가 있습니다. 연산자로, 또
# ``tensorgrad``\ 에는 배열 API의 이름으로, ``tensorgrad.functions``\ 에는 신경망에
# 필요한 것까지 모두 들어 있습니다. 앞에서 클래스로 쓴 것이 한 줄이면 됩니다.


def bell(x):
    return tg.exp(-(x**2))


x = Variable(np.linspace(-3, 3, 121))
y = bell(x)
y.sum().backward()

point = Variable(np.array(0.5))
value = bell(point)
value.backward()
tangent = value.item() + point.grad.item() * (x.data - 0.5)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(x.data, y.data, label="y")
axes.plot(x.data, x.grad.data, label="dy/dx")
near = np.abs(x.data - 0.5) < 0.8
axes.plot(x.data[near], tangent[near], "k--", label="tangent at 0.5")
axes.set(xlabel="x")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

# %%
# ``backward`` 앞의 합은 앞으로 자주 쓸 요령입니다. ``y``\ 의 각 원소는 ``x``\ 의 같은
# 자리 원소에만 의존하므로, 합의 기울기를 한 번 구하면 121개 점의 기울기가 모두
# 나옵니다.
#
# 깊이에는 제한이 없습니다
# ------------------------
#
# ``backward``\ 를 처음 구현할 때는 흔히 재귀 호출을 쓰는데, 파이썬은 재귀가 천 단계
# 정도가 되면 멈춥니다. 여기서는 반복문입니다. 함수를 만 개 이어도 문제가 없습니다.

x = Variable(np.array(1.0))
y = x
for _ in range(10_000):
    y = y * 1.0001
y.backward()
print(f"{x.grad.item():.6f}, and 1.0001 to the power of 10,000 is {1.0001**10_000:.6f}")
assert np.isclose(x.grad.item(), 1.0001**10_000)

# %%
# 반복문과 조건문
# ---------------
#
# 값에 따라 횟수가 달라지는 반복문도 평범한 반복문이고, ``if``\ 도 평범한
# ``if``\ 입니다. 다음은 결과가 충분히 정확해질 때까지 되풀이하는 뉴턴 방법으로 제곱근을
# 구합니다. 도함수는 실제로 지나간 계산의 도함수입니다. 답은
# :math:`\frac{1}{2\sqrt{x}}`\ 이어야 합니다.


def root(x):
    guess, steps = x, 0
    while abs((guess * guess - x).item()) > 1e-10 * x.item():
        guess = (guess + x / guess) / 2
        steps += 1
    return guess, steps


for number in (2.0, 9.0, 100.0):
    x = Variable(np.array(number))
    y, steps = root(x)
    y.backward()
    print(f"root {y.item():9.6f} after {steps} steps, slope {x.grad.item():.6f}")
    assert np.isclose(x.grad.item(), 0.5 / np.sqrt(number))

# %%
# 지금까지 얻은 것
# ----------------
#
# - ``Function``\ 은 배열에 대한 ``forward``\ 와 기울기에 대한 ``backward``\ 를
#   갖습니다.
# - 상자는 ``creator``\ 를, 함수는 ``inputs``\ 를 기억합니다. 이 둘이 모여 계산 그래프가
#   됩니다.
# - ``y.backward()``\ 는 결과에서 말단(leaf), 곧 직접 만든 상자까지 그래프를 따라가며
#   ``grad``\ 를 채웁니다.
#
# **더 보기**: 레퍼런스의 `tensorgrad.Function`. 다음 페이지: :doc:`03_branches`
