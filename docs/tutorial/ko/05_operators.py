"""
5. 연산자, 그래프 그림, 내리막길
================================

수식은 수식처럼 보여야 합니다. 이 페이지에서는 어떤 식을 쓸 수 있는지 알아보고, 쓴
식의 그래프를 그려 봅니다. 그리고 기울기를 가장 흔한 용도, 곧 최솟값을 찾는 데
처음으로 사용합니다.

**이 페이지에서 배우는 것**

- 연산자, NumPy 함수, 일반 배열, 숫자를 한 식에서 함께 쓰기
- 패키지의 어디에 무엇이 있는지
- 계산 그래프를 그리는 방법
- 경사하강법

(책의 20~28단계)
"""

# %%
# 섞어 쓰기
# ---------
#
# 변수는 숫자와도, 같은 라이브러리의 배열과도 함께 계산할 수 있습니다. 어느 쪽이 왼쪽에
# 와도 됩니다. ``@``\ 는 행렬의 곱입니다. NumPy의 함수도 쓸 수 있습니다. 인수에 변수가
# 있으면 NumPy가 일을 변수에게 넘깁니다.

import matplotlib.pyplot as plt
import numpy as np

from tensorgrad import Variable
from tensorgrad.utils import get_dot_graph

x = Variable(np.array([1.0, 4.0, 9.0]))
weights = np.array([0.5, 0.25, 0.25])

print(1.0 / x)
print(weights * x)
print(weights @ x)
print(np.sqrt(x), "by NumPy's own sqrt")

# %%
# 네 결과는 모두 creator가 있는 상자입니다. 숫자와 일반 배열은 상수입니다. 아무도 읽을
# 수 없는 기울기는 계산하지 않습니다.
#
# NumPy 배열이 왼쪽에 있는 ``weights * x``\ 는 어떻게 동작할까요? 파이썬은 왼쪽
# 피연산자에게 먼저 묻습니다. 그런데 변수에는 ``__array_ufunc__`` 메서드가 있습니다.
# NumPy의 함수는 인수에서 이 메서드를 찾고, 있으면 거기에 일을 맡깁니다.
#
# 제자리 갱신도 그래프의 일부입니다. ``v += 1``\ 이나 ``v[0] = 5``\ 는 새 값을 계산하고,
# ``v``\ 라는 이름의 상자는 그 값으로 옮겨 갑니다. 그 전에 계산된 것은 이전 값을 그대로
# 가지고 있으므로 기울기는 틀어지지 않습니다.

y = x * 1.0
z = y * y
y += 100.0
z.sum().backward()
print("y is now", y)
print("the gradient is that of the old y, 2 x:", x.grad)

# %%
# 어디에 무엇이 있는가
# --------------------
#
# - ``import tensorgrad as tg``: ``Variable``, 모드, 배열 API: ``tg.exp``,
#   ``tg.linalg.inv``
# - ``tensorgrad.functions as F``: 미분할 수 있는 모든 함수. 신경망 함수 포함
# - ``tensorgrad.layers as L``: 매개변수를 스스로 가진 함수, 곧 층(layer)
# - ``tensorgrad.models``: 완성된 신경망
# - ``tensorgrad.optimizers``: 기울기로 매개변수를 갱신하는 규칙
# - ``tensorgrad.datasets``: 데이터. 데이터를 차례로 꺼내는 것은
#   ``tensorgrad.DataLoader``
# - ``tensorgrad.testing``: ``check_gradients``, ``assert_close``
# - ``tensorgrad.utils``: 그래프 그림, 그 밖에 책의 독자가 아는 도구
#
# 터미널에서 ``python -m tensorgrad``\ 를 실행하면 어떤 배열 라이브러리가 있고 무엇이
# 빠졌는지 볼 수 있습니다.
#
# 언덕과 골짜기가 있는 함수
# -------------------------
#
# 힘멜블라우 함수는 최솟값을 찾는 프로그램을 시험할 때 흔히 씁니다. 값이 0인 최솟점이 네
# 개 있습니다.
#
# .. math:: f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


x, y = Variable(np.array(1.0), name="x"), Variable(np.array(2.0), name="y")
f = himmelblau(x, y)
f.name = "f"
f.backward(retain_graph=True)
print("value", f.item(), "| slopes", x.grad.item(), y.grad.item())
assert x.grad.item() == -36.0  # 연필과 종이로 구한 값입니다
assert y.grad.item() == -32.0

# %%
# 그래프를 그림으로
# -----------------
#
# ``tensorgrad.utils``\ 의 ``plot_dot_graph(f, to_file="f.html")``\ 은 그래프를
# 브라우저용 페이지로 저장합니다. 확대하고 클릭하면서 함수마다 입력, 형상, 자료형,
# 메모리를 볼 수 있습니다. ``"f.svg"``\ 로 지정하면
# `Graphviz <https://graphviz.org>`_\ 가 설치되어 있을 때 평범한 그림을 그립니다.
# Graphviz에 넘기는 텍스트는 Graphviz가 없어도 얻을 수 있습니다.

print(get_dot_graph(x * y, verbose=False))

# %%
# 그래프는 평범한 객체로 이루어져 있으므로 직접 그리는 데에도 서른 줄이면 충분합니다.
# 세대마다 한 열씩, 함수는 네모로, 말단은 동그라미로 그립니다.


def draw(output, axes):
    place, rows, edges, stack = {}, {}, [], [output]
    while stack:
        v = stack.pop()
        node = v.creator or v
        if node in place:
            continue
        row = rows[v.generation] = rows.get(v.generation, 0) + 1
        place[node] = (v.generation, -row)
        for source in v.creator.inputs if v.creator else ():
            if source.requires_grad:
                edges.append((source.creator or source, node))
                stack.append(source)
    for start, end in edges:
        arrow = {"arrowstyle": "->", "color": "gray", "shrinkA": 16, "shrinkB": 16}
        axes.annotate("", place[end], place[start], arrowprops=arrow)
    for node, where in place.items():
        look = {"boxstyle": "round", "facecolor": "#bcd7ee"}
        label = type(node).__name__
        if isinstance(node, Variable):
            look, label = {"boxstyle": "circle", "facecolor": "#f2c48d"}, node.name
        axes.text(*where, label, ha="center", va="center", bbox=look)
    axes.set(xlim=(-1, output.generation + 1), ylim=(-max(rows.values()) - 1, 0))
    axes.axis("off")
    return len(place)


figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
drawn = draw(f, axes)
axes.set_title("Himmelblau's function, from the leaves to its value")
plt.show()

# %%
# 반복문의 그래프
# ---------------
#
# 그래프의 길이는 계산의 길이와 같습니다. 예를 들어 사인을 거듭제곱 급수(테일러 급수)로
# 계산하면, 정밀도를 높일수록 항이 더 많이 필요합니다.
#
# .. math:: \sin x = x - \frac{x^3}{3!} + \frac{x^5}{5!} - \dots
#
# 항이 무시할 만큼 작아지면 반복을 멈춥니다. 결과의 ``generation``\ 은 ``x``\ 까지의
# 가장 긴 길에 함수가 몇 개 있는지 알려 줍니다.


def sine(x, tolerance):
    total = term = x
    n = 1
    while abs(term.item()) > tolerance:
        term = -term * x * x / ((n + 1) * (n + 2))
        total = total + term
        n += 2
    return total


for tolerance in (0.1, 1e-4, 1e-12):
    x = Variable(np.array(2.0))
    y = sine(x, tolerance)
    y.backward()
    value, slope = abs(y.item() - np.sin(2.0)), abs(x.grad.item() - np.cos(2.0))
    print(f"depth {y.generation:2}: value off by {value:.0e}, slope by {slope:.0e}")

# %%
# 내리막길
# --------
#
# 기울기는 함수가 가장 빠르게 커지는 방향을 가리킵니다. 그 반대쪽으로 조금 움직이면
# 내려갑니다. 이것을 되풀이하는 것이 *경사하강법*\ 이며, 신경망의 학습에도 쓰입니다. 네
# 곳에서 출발해 봅니다.

figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
grid = np.meshgrid(np.linspace(-5, 5, 101), np.linspace(-5, 5, 101))
heights = np.log1p(himmelblau(*grid))
axes.contour(*grid, heights, levels=20, cmap="Blues_r", linewidths=0.8)

ends = []
for start in [(0.5, 0.5), (-1.0, 1.0), (-0.5, -1.0), (0.5, -1.5)]:
    x, y = Variable(np.array(start[0])), Variable(np.array(start[1]))
    path = [start]
    for _ in range(150):
        f = himmelblau(x, y)
        x.cleargrad()
        y.cleargrad()
        f.backward()
        x.data = x.data - 0.005 * x.grad.data
        y.data = y.data - 0.005 * y.grad.data
        path.append((x.item(), y.item()))
    axes.plot(*zip(*path, strict=True), ".-", markersize=3)
    ends.append((x.item(), y.item()))
    print(f"from {start} to ({x.item():7.4f}, {y.item():7.4f}), value {f.item():.1e}")
axes.set(xlabel="x", ylabel="y")
plt.show()

assert len({(round(a), round(b)) for a, b in ends}) == 4
assert max(himmelblau(a, b) for a, b in ends) < 1e-6

# %%
# ``himmelblau``\ 가 세 가지로 쓰인 점에 주목하세요. 마지막 줄에서는 숫자로,
# 등고선에서는 배열로, 기울기를 구할 때는 변수로 호출했습니다. 함수 자신은 그 차이를
# 전혀 모릅니다.
#
# 출발점이 넷이니 골짜기도 넷입니다. 경사하강법은 지금 있는 골짜기의 바닥을 찾을 뿐, 더
# 깊은 골짜기가 있는지는 알지 못합니다. 갱신은 ``x.data``\ 에 했으므로 어떤 그래프에도
# 들어가지 않습니다.
#
# 지금까지 얻은 것
# ----------------
#
# - 변수로 쓴 수식은 배열로 쓴 수식과 모양이 같습니다.
# - ``plot_dot_graph``\ 로 그래프를 봅니다. 직접 도구를 만들 때는 ``creator``,
#   ``inputs``, ``generation``\ 을 쓰면 됩니다.
# - 순전파, ``cleargrad``, ``backward``, 기울기 반대 방향으로 한 걸음. 모든 학습이 이
#   반복으로 이루어집니다.
#
# **더 보기**: `tensorgrad.functions`, `tensorgrad.utils`, `tensorgrad.graphs`. 다음
# 페이지: :doc:`06_higher_order`
