"""
6. 미분의 미분
==============

기울기도 계산으로 얻습니다. 계산에는 그래프가 있을 수 있습니다. 그러므로 기울기를 다시
미분할 수 있고, 그 결과도 또 미분할 수 있습니다. 몇 번이든 됩니다.

**이 페이지에서 배우는 것**

- 단 하나의 인수 ``create_graph=True``
- 2차 미분이 있으면 뉴턴 방법이 얻는 이득
- 차수가 높아질 때 그래프에 일어나는 일
- 같은 일을 함수 단위로 하는 ``tg.grad``, ``tg.hessian``, ``tg.hvp``

(책의 29~36단계)
"""

# %%
# 기록되는 역전파
# ---------------
#
# ``backward``\ 는 곱하고 더합니다. ``create_graph=True``\ 를 지정하면 그 계산을 변수로
# 하므로 그래프가 남습니다. 이때 ``x.grad``\ 는 그저 숫자가 담긴 상자가 아닙니다.
# creator가 있고, 거기에서 다시 ``backward``\ 를 호출할 수 있습니다.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F

x = Variable(np.array(2.0))
y = x**3
y.backward(create_graph=True)
gx = x.grad
print("3 x^2 =", gx.item(), "| made by", type(gx.creator).__name__)

x.cleargrad()
gx.backward()
print("6 x   =", x.grad.item())
assert x.grad.item() == 12.0

# %%
# 그 사이에 ``cleargrad``\ 가 필요합니다. 빠뜨리면 2차 미분이 1차 미분에 더해집니다.
#
# 사인의 모든 도함수
# ------------------
#
# 사인의 도함수는 :math:`\sin, \cos, -\sin, -\cos`\ 을 거쳐 다시 :math:`\sin`\ 으로
# 돌아옵니다. ``backward``\ 가 스스로 찾아내게 해 봅니다.

x = Variable(np.linspace(-np.pi, np.pi, 200))
y = F.sin(x)
curves = [y.data]
y.sum().backward(create_graph=True)
for _ in range(4):
    gx = x.grad
    curves.append(gx.data)
    x.cleargrad()
    gx.sum().backward(create_graph=True)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for order, curve in enumerate(curves[:4]):
    axes.plot(x.data, curve, label=f"order {order}")
axes.set(xlabel="x", title="sin x and its derivatives")
axes.grid(alpha=0.3)
axes.legend(loc="upper right")
plt.show()

print("order 4 is the sine again:", np.allclose(curves[4], np.sin(x.data)))
assert np.allclose(curves[3], -np.cos(x.data))
assert np.allclose(curves[4], np.sin(x.data))

# %%
# 뉴턴 방법
# ---------
#
# 경사하강법은 어느 방향이 내리막인지는 알지만 얼마나 가야 하는지는 모릅니다. 2차 미분은
# 기울기가 어떻게 변하는지 알려 줍니다. 함수가 포물선이라고 보면 기울기가 0이 되는 곳을
# 알 수 있고, 뉴턴 방법은 그곳으로 한 번에 갑니다.
#
# .. math:: x \leftarrow x - \frac{f'(x)}{f''(x)}
#
# :math:`f(x) = e^x - 2x`\ 를 최소화합니다. 최솟점은 :math:`\log 2`\ 입니다.


def f(x):
    return tg.exp(x) - 2 * x


newton, x = [], Variable(np.array(3.0))
for _ in range(7):
    newton.append(abs(x.item() - np.log(2)))
    x.cleargrad()
    f(x).backward(create_graph=True)
    slope = x.grad
    x.cleargrad()
    slope.backward()
    x.data = x.data - slope.data / x.grad.data

descent, x = [], Variable(np.array(3.0))
for _ in range(60):
    descent.append(abs(x.item() - np.log(2)))
    x.cleargrad()
    f(x).backward()
    x.data = x.data - 0.1 * x.grad.data

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.semilogy(descent, label="gradient descent, step 0.1")
axes.semilogy(newton, "o-", label="Newton")
axes.set(xlabel="step", ylabel="distance from the minimum")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

print("Newton: ", *(f"{error:.0e}" for error in newton))
assert newton[-1] < 1e-6 < descent[20]

# %%
# 최솟점 가까이에서는 뉴턴 방법이 한 걸음마다 맞는 자릿수를 두 배로 늘립니다. 미지수가
# 적을 때는 2차 미분을 구할 가치가 있습니다. 가중치가 백만 개라면 2차 미분은 백만 곱하기
# 백만 개입니다. 그래서 신경망은 1차 미분으로 학습합니다.
#
# 상자 대신 함수로
# ----------------
#
# ``tg.grad(f)``\ 는 ``f``\ 의 기울기를 구하는 함수입니다. 배열을 받아 배열을 돌려주고,
# 비울 것이 없으며, 그 결과에 다시 적용할 수 있습니다.

third = tg.grad(tg.grad(tg.grad(np.sin)))
print("minus cos 0.5:", third(np.array(0.5)), -np.cos(0.5))

# %%
# 미지수가 여럿이면 2차 미분은 *헤세 행렬*\ (Hessian)이 됩니다. 로젠브록 함수의 최솟값을
# 이것으로 찾아봅니다. 좁고 굽은 골짜기라서 경사하강법으로는 수천 걸음이 필요한
# 함수입니다.


def rosenbrock(p):
    x, y = p[0], p[1]
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


p = np.array([-1.2, 1.0])
for step in range(7):
    print(f"step {step}: ({p[0]:8.5f}, {p[1]:8.5f})  value {rosenbrock(p):.1e}")
    p = p - np.linalg.solve(tg.hessian(rosenbrock)(p), tg.grad(rosenbrock)(p))
assert np.allclose(p, [1.0, 1.0])

# %%
# 행렬 자체보다 행렬과 방향 벡터의 곱만 필요할 때가 많습니다. ``tg.hvp``\ 는 행렬을
# 만들지 않고, 기울기 몇 번을 구하는 비용으로 그 곱을 계산합니다. 그래서 미지수가 백만
# 개여도 쓸 수 있습니다.

direction = np.array([1.0, -1.0])
(product,) = tg.hvp(rosenbrock, [p], [direction])
print("Hessian times direction:", product, "|", tg.hessian(rosenbrock)(p) @ direction)
assert np.allclose(product, tg.hessian(rosenbrock)(p) @ direction)

# %%
# 수식 속의 미분
# --------------
#
# 기울기는 평범한 상자이므로 수식의 일부가 될 수 있고, 그 수식을 다시 미분할 수
# 있습니다. 이것을 *double backpropagation*\ 이라고 합니다. 예를 들어 기울기가 가파르면
# 벌점을 주며 학습하는 신경망이 있습니다. 작은 예로 :math:`y = x^2`\ 에 대해
# :math:`y^2 + (dy/dx)^2`, 곧 :math:`x^4 + 4 x^2`\ 의 미분을 구합니다.

x = Variable(np.array(3.0))
y = x**2
y.backward(create_graph=True)
gx = x.grad

penalised = y**2 + gx**2
x.cleargrad()
penalised.backward()
print("4 x^3 + 8 x =", x.grad.item())
assert x.grad.item() == 4 * 3.0**3 + 8 * 3.0

# %%
# 그래프는 커집니다
# -----------------
#
# 비용은 얼마나 될까요? ``tanh``\ 의 도함수들의 그래프에 함수가 몇 개 있는지 세어
# 봅니다. 각 도함수는 그때까지의 계산 전체에 대한 계산입니다.


def graph_of(v):
    place, arrows, rows, stack = {}, [], {}, [v.creator]
    while stack:
        node = stack.pop()
        if node not in place:
            row = rows[node.generation] = rows.get(node.generation, 0) + 1
            place[node] = (node.generation, row)
            above = [v.creator for v in node.inputs if v.creator is not None]
            arrows += [(start, node) for start in above]
            stack += above
    return place, arrows


x = Variable(np.linspace(-3, 3, 121))
derivatives = [F.tanh(x)]
for _ in range(5):
    x.cleargrad()
    derivatives[-1].sum().backward(create_graph=True)
    derivatives.append(x.grad)
sizes = [len(graph_of(v)[0]) for v in derivatives]

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for order, v in enumerate(derivatives[:4]):
    left.plot(x.data, v.data, label=f"order {order}")
left.set(xlabel="x", title="tanh and its derivatives")
left.legend()
right.bar(range(6), sizes)
right.set(xlabel="order of the derivative", title="Functions in its graph")
plt.show()

print("Functions:", sizes)
assert sizes[-1] > 20 * sizes[1]

# %%
# 차수가 오를 때마다 몇 배씩 커집니다. 잘못된 것이 아닙니다. ``tanh``\ 의 5차 도함수를
# 식으로 써 내려가도 그만큼 깁니다. 2차 미분은 부담이 없지만 6차 미분은 그렇지 않습니다.
#
# ``graph_of``\ 는 각 함수의 자리도 기록해 두었습니다. 앞 페이지처럼 세대마다 한
# 열입니다. 이것으로 ``tanh``\ 의 3차 도함수를 이루는 함수를 빠짐없이 그려 봅니다.

place, arrows = graph_of(derivatives[3])
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for start, end in arrows:
    axes.plot(*zip(place[start], place[end], strict=True), color="gray", linewidth=0.8)
for node, where in place.items():
    look = {"boxstyle": "round", "facecolor": "#bcd7ee"}
    axes.text(*where, type(node).__name__, ha="center", va="center", bbox=look)
axes.axis("off")
plt.show()

# %%
# 이 모두를 ``backward``\ 가 만들었습니다. 우리가 쓴 것은 ``tanh``\ 뿐입니다. 더 큰
# 그래프는 브라우저에서 보는 편이 낫습니다.
# ``plot_dot_graph(derivatives[5], to_file="graph.html")``\ 로 저장하면 됩니다.
#
# 왜 *모든* 함수에서 될까요? 라이브러리의 모든 ``backward``\ 는 배열에서도 변수에서도
# 동작하는 연산자와 함수로만 쓰여 있습니다. 보통의 역전파에서는 배열을 넘기므로
# 빠릅니다. 기록하는 역전파에서는 변수를 넘깁니다. 따로 틀릴 수 있는 두 번째 공식은
# 없습니다.
#
# 지금까지 얻은 것
# ----------------
#
# - ``backward(create_graph=True)``\ 는 그래프를 가진 기울기를 만듭니다. 차수에는 제한이
#   없습니다.
# - ``tg.grad``, ``tg.jacobian``, ``tg.hessian``, ``tg.hvp``\ 는 함수를 함수로 바꿉니다.
# - 기울기를 수식 안에서 쓸 수 있습니다.
#
# **더 보기**: `tensorgrad.grad`, `tensorgrad.hessian`, `tensorgrad.hvp`. 다음 페이지:
# :doc:`07_tensors`
