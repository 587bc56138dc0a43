"""Tools under the names that readers of the book know: graph pictures and gradient checks.

`tensorgrad.testing` has the same checks as assertions, whose messages say what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import functions, testing
from tensorgrad.backend import Array
from tensorgrad.core import Function, Variable, as_array, as_variable
from tensorgrad.core.node import Edge, Leaf, Spec, uncut
from tensorgrad.downloads import get_file as get_file
from tensorgrad.graphs import Graph, Page
from tensorgrad.testing.arrays import to_numpy

if TYPE_CHECKING:
    from pathlib import Path

# -- checks --------------------------------------------------------------------------------------


def array_equal(a: Any, b: Any) -> bool:
    """Whether shapes and values are equal.

    Parameters
    ----------
    a, b : Variable, array of any registered library, number or list

    Examples
    --------
    >>> tg.utils.array_equal(Variable(np.array([1.0, 2.0])), [1.0, 2.0])
    True
    """
    return bool(np.array_equal(to_numpy(a), to_numpy(b)))


def array_allclose(a: Any, b: Any, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Whether ``|a - b| <= atol + rtol * |b|`` everywhere.

    Parameters
    ----------
    a, b : Variable, array of any registered library, number or list
    rtol, atol : float

    Examples
    --------
    >>> tg.utils.array_allclose(Variable(np.array([1.0, 2.0])), [1.0, 2.00001])
    True
    """
    return bool(np.allclose(to_numpy(a), to_numpy(b), rtol=rtol, atol=atol))


def numerical_grad(f: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Array:
    """Gradient of ``sum(f(x, *args, **kwargs))`` in `x` by central differences, in float64.

    Parameters
    ----------
    f : callable
        Takes a Variable first, gives a Variable or a tuple of them.
    x : Variable, array, number or list, real
    *args, **kwargs
        Given to `f` as they are.

    Returns
    -------
    array of the library of `x`, shape of `x`, float64

    Examples
    --------
    >>> tg.utils.numerical_grad(F.pow, Variable(np.array([1.0, 2.0])), 2).round(6)
    array([2., 4.])
    """
    return testing.numerical_grad(lambda v: f(v, *args, **kwargs), x)


def gradient_check(
    f: Callable[..., Any], x: Any, *args: Any, rtol: float = 1e-4, atol: float = 1e-5, **kwargs: Any
) -> bool:
    """Whether the gradients of `f` agree with central differences, in `x` and in every other input.

    Parameters
    ----------
    f : callable
        Takes Variables, gives a Variable or a tuple of them.
    x : Variable or array, real
        Copied in float64, integers too; `x` itself stays as it is.
    *args
        Further inputs. Gradients are checked in those that are floating, but for Variables made with
        ``requires_grad=False``.
    rtol, atol : float
        ``|gradient - difference| <= atol + rtol * |difference|``.
    **kwargs
        Given to `f` as they are.

    Returns
    -------
    bool
        Where it is False, the log says which element differs. `tensorgrad.testing.check_gradients`
        raises an error with the same text.

    Examples
    --------
    >>> tg.utils.gradient_check(F.mul, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    True
    """
    x = as_variable(x)
    if not x.backend.is_floating(x.dtype):
        x = Variable(x.backend.xp.astype(x.data, x.backend.xp.float64))
    try:
        testing.check_gradients(lambda *xs: f(*xs, **kwargs), [x, *args], order=1, rtol=rtol, atol=atol)
    except AssertionError as error:
        import logging  # noqa: PLC0415  # only when there is something to log

        logging.getLogger(__name__).warning("gradient_check: %s", error)
        return False
    return True


# -- sizes of images -----------------------------------------------------------------------------


def pair(x: Any) -> tuple[int, int]:
    """A number twice, a pair as it is.

    Parameters
    ----------
    x : int or pair of int

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> tg.utils.pair(1), tg.utils.pair((1, 2))
    ((1, 1), (1, 2))
    """
    if isinstance(x, int):
        return x, x
    if isinstance(x, tuple) and len(x) == 2:
        return x
    raise ValueError(f"pair: expected an int or a tuple of two; got {x!r}")


def get_conv_outsize(input_size: int, kernel_size: int, stride: int, pad: int) -> int:
    """The length of what a convolution or a pooling makes, along one axis.

    Parameters
    ----------
    input_size, kernel_size, stride, pad : int

    Returns
    -------
    int
        ``(input_size + 2 pad - kernel_size) // stride + 1``.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016), relationship 6.

    Examples
    --------
    >>> tg.utils.get_conv_outsize(4, 3, 1, 1)
    4
    """
    return (input_size + pad * 2 - kernel_size) // stride + 1


def get_deconv_outsize(size: int, k: int, s: int, p: int) -> int:
    """The length of what a transposed convolution makes by default, along one axis.

    Parameters
    ----------
    size : int
    k, s, p : int
        The kernel's length, its stride and the padding.

    Returns
    -------
    int
        ``s (size - 1) + k - 2 p``.

    Examples
    --------
    >>> tg.utils.get_deconv_outsize(4, 3, 2, 1)
    7
    """
    return s * (size - 1) + k - 2 * p


# -- numbers -------------------------------------------------------------------------------------


def logsumexp(x: Array, axis: int | tuple[int, ...] = 1) -> Array:
    """Log of the sum of exponentials of an array, without overflow; `functions.logsumexp` has gradients.

    Parameters
    ----------
    x : array of any registered library, real floating
    axis : int or tuple of int, default 1
        Axes that are summed; they stay, with length 1.

    Returns
    -------
    array

    Examples
    --------
    >>> tg.utils.logsumexp(np.array([[0.0, 1000.0]]))
    array([[1000.]])
    """
    return functions.logsumexp(as_array(x), axis, keepdims=True).data


# -- pictures ------------------------------------------------------------------------------------


def get_dot_graph(output: Variable | Iterable[Variable], verbose: bool = True) -> str:
    """The graph that a Variable was computed with, in Graphviz's DOT language.

    Functions are boxes with the name of their class, Variables are orange ovals with their name.
    Constants are not part of the graph.

    Parameters
    ----------
    output : Variable, or several
    verbose : bool, default True
        Show shapes and dtypes too.

    Returns
    -------
    str

    Examples
    --------
    >>> x = Variable(np.array(1.0), name="x")
    >>> print(tg.utils.get_dot_graph(x * x, verbose=False))
    digraph g {
    v0 [label="", color=orange, style=filled]
    f0 [label="Mul", color=lightblue, style=filled, shape=box]
    f0 -> v0
    v1 [label="x", color=orange, style=filled]
    v1 -> f0
    v1 -> f0
    }
    """
    drawing = _Drawing(verbose)
    for y in [output] if isinstance(output, Variable) else output:
        drawing.draw(y)
    return "\n".join(["digraph g {", *drawing.lines, "}"])


class _Drawing:
    """The lines of a graph's text, and the names in it of the values and functions drawn so far."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.lines: list[str] = []
        self.values: dict[tuple[Any, int], str] = {}
        self.functions: dict[Function, str] = {}

    def draw(self, output: Variable) -> None:
        """Add what is above a Variable and not drawn yet. Nothing recurses: graphs may be deep."""
        node = output._node
        if node is None:  # a constant, or a leaf that no function has seen
            spec = None if output.data is None else (output.shape, output.dtype)
            self.value((output, 0), output.name, spec)
            return
        self.at_edge((node, output._index))
        stack = [node]
        while stack:
            node = stack.pop()
            if isinstance(node, Leaf) or node in self.functions:
                continue
            name = self.functions[node] = f"f{len(self.functions)}"
            label = _quoted(type(node).__name__)
            self.lines.append(f"{name} [label={label}, color=lightblue, style=filled, shape=box]")
            for index in range(len(node.specs) - node.hidden):
                self.lines.append(f"{name} -> {self.at_edge((node, index))}")
            for edge in node.edges:
                if edge is not None:
                    self.lines.append(f"{self.at_edge(edge)} -> {name}")
                    stack.append(uncut(edge)[0])

    def at_edge(self, edge: Edge) -> str:
        node, index = uncut(edge)
        name = node.names.get(index) if node.names else None
        return self.value((node, index), name, node.specs[index])

    def value(self, key: tuple[Any, int], name: str | None, spec: Spec | None) -> str:
        """The name in the text of a value, which is drawn when it is first met."""
        known = self.values.get(key)
        if known is None:
            known = self.values[key] = f"v{len(self.values)}"
            parts = [] if name is None else [str(name)]
            if self.verbose and spec is not None:
                parts.append(f"{tuple(spec[0])} {spec[1]}")
            label = _quoted(": ".join(parts))
            self.lines.append(f"{known} [label={label}, color=orange, style=filled]")
        return known


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


class Picture:
    """A picture in a file, which Jupyter shows.

    Attributes
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _repr_png_(self) -> bytes | None:
        return self.path.read_bytes() if self.path.suffix.lower() == ".png" else None

    def _repr_svg_(self) -> str | None:
        return self.path.read_text(encoding="utf-8") if self.path.suffix.lower() == ".svg" else None

    def _repr_pdf_(self) -> bytes | None:
        return self.path.read_bytes() if self.path.suffix.lower() == ".pdf" else None

    def __repr__(self) -> str:
        return f"Picture({str(self.path)!r})"


def plot_dot_graph(
    output: Variable | Iterable[Variable], verbose: bool = True, to_file: str | Path = "graph.png"
) -> Picture | Page:
    """Draw the graph that a Variable was computed with into a file.

    Parameters
    ----------
    output : Variable, or several
    verbose : bool, default True
        Show shapes and dtypes too.
    to_file : str or path, default 'graph.png'
        Its ending says the format: png, svg, pdf, or another that Graphviz writes. For ``.dot`` the
        text itself is written, and for ``.html`` the page of `tensorgrad.graphs.Graph`, to zoom and click
        in: neither needs Graphviz.

    Returns
    -------
    Picture or Page
        Jupyter shows it; ``path`` is the file.

    Raises
    ------
    FileNotFoundError
        If the program ``dot`` is needed and not there.
    ValueError
        If `to_file` has no ending, or one of a format that Graphviz does not write.

    Examples
    --------
    >>> import tempfile
    >>> x = Variable(np.array(1.0), name="x")
    >>> picture = tg.utils.plot_dot_graph(x * x, to_file=f"{tempfile.mkdtemp()}/graph.dot")
    >>> picture.path.name
    'graph.dot'
    """
    import shutil  # noqa: PLC0415  # these three would be a quarter of what `import tensorgrad` costs
    import subprocess  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    path = Path(to_file)
    kind = path.suffix[1:].lower()
    if not kind:
        raise ValueError(
            f"plot_dot_graph: expected to_file to end with .png, .svg, .pdf, .html or .dot; got {str(path)!r}"
        )
    if kind == "html":
        return Graph(output).page(path)
    text = get_dot_graph(output, verbose)
    if kind == "dot":
        path.write_text(text + "\n", encoding="utf-8")
        return Picture(path)
    program = shutil.which("dot")
    if program is None:
        raise FileNotFoundError(
            "plot_dot_graph: the program 'dot' of Graphviz was not found. Install Graphviz "
            "(apt install graphviz, brew install graphviz, conda install graphviz, "
            "winget install graphviz), or write an .html or a .dot file: these need no program, and neither "
            "does get_dot_graph(output), which gives the text."
        )
    command = [program, f"-T{kind}", "-o", str(path)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"plot_dot_graph: Graphviz says: {done.stderr.decode().strip()}")
    return Picture(path)
