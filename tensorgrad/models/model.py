"""Model, the base: a layer that can draw and describe itself."""

from __future__ import annotations

from typing import Any

from tensorgrad import utils
from tensorgrad.core import using_config
from tensorgrad.graphs import Graph, annotate
from tensorgrad.layers import Layer
from tensorgrad.models.summary import Summary, described, summarize


class Model(Layer):
    """A layer that stands alone: what an optimizer is set up with, and what goes into a file.

    Examples
    --------
    >>> class TwoLayers(tg.Model):
    ...     def __init__(self, hidden_size, out_size):
    ...         super().__init__()
    ...         self.l1 = tg.layers.Linear(hidden_size)
    ...         self.l2 = tg.layers.Linear(out_size)
    ...     def forward(self, x):
    ...         return self.l2(F.tanh(self.l1(x)))
    >>> TwoLayers(10, 1)(np.ones((4, 3))).shape
    (4, 1)
    """

    def plot(self, *inputs: Any, to_file: str = "model.png") -> Any:
        """Draw the graph of one call.

        Parameters
        ----------
        *inputs : Variable or array
            What `forward` takes.
        to_file : str, default 'model.png'
            Its ending says the format: png, svg, pdf; or html, which is a page to look around in, layer by
            layer.

        Returns
        -------
        What Jupyter shows as a picture; see `tensorgrad.utils.plot_dot_graph`.

        Raises
        ------
        FileNotFoundError
            If Graphviz is needed and not installed.
        """
        with using_config("enable_backprop", True), annotate():
            y = self(*inputs)
        if str(to_file).lower().endswith(".html"):
            return Graph(y).page(to_file, title=type(self).__name__)
        return utils.plot_dot_graph(y, verbose=True, to_file=to_file)

    def summary(self, *inputs: Any, **options: Any) -> Summary:
        """Describe the model, layer by layer, by one call: shapes, parameters, memory.

        The call is one at test time, begins without recurrent state and records nothing: running statistics
        and state stay as they are. Parameters whose size was open get their size, as in any call.

        Parameters
        ----------
        *inputs, **options
            What `forward` takes.

        Returns
        -------
        Summary
            It prints as a table and has the figures as attributes: ``rows``, ``parameters``, ``trained``,
            ``parameter_bytes``, ``activation_bytes``, ``input_bytes``.

        Examples
        --------
        >>> tg.models.MLP((8, 2)).summary(np.ones((10, 4), np.float32))
        layer         output  parameters  memory  activations
        -----------------------------------------------------
        MLP          (10, 2)                            320 B
          l0 Linear  (10, 8)          40   160 B        320 B
          l1 Linear  (10, 2)          18    72 B         80 B
        -----------------------------------------------------
        58 parameters: 232 B
        activations: 720 B for inputs of 160 B
        """
        return summarize(self, inputs, options)

    def _repr_html_(self) -> str:
        return described(self)._repr_html_()
