"""``import tensorgrad`` loads NumPy and nothing heavier, and brings all of its submodules."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from tensorgrad.functions import numpy_protocol, operators

HEAVY = [
    *("torch", "jax", "jaxlib", "cupy", "dpnp", "dpctl", "dask", "array_api_strict"),
    *("scipy", "matplotlib", "PIL", "pandas", "sklearn", "tqdm", "IPython"),
]
# What readers of the book use after `import tensorgrad`, as far as it is there yet.
SUBMODULES = [
    name
    for name in (
        *("functions", "layers", "models", "optimizers", "datasets", "dataloaders"),
        *("transforms", "utils", "cuda"),
    )
    if importlib.util.find_spec(f"tensorgrad.{name}")
]

# What only some programs need, and is loaded when they ask for it.
LATER = [
    *("random", "tensorgrad.derivatives"),
    *(f"tensorgrad.{name}" for name in SUBMODULES if name != "functions"),
    *(f"tensorgrad.functions.{name}" for name in ("namespace", "numpy_protocol", "special", "pools")),
]


def in_a_new_process(code: str) -> list[str]:
    """What the code leaves in `found`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json\nprint(json.dumps(found))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_importing_tensorgrad_loads_no_heavy_library():
    code = "import sys\nimport tensorgrad\nfound = sorted({m.partition('.')[0] for m in sys.modules})"
    loaded = in_a_new_process(code)
    assert "numpy" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_computing_on_numpy_loads_no_other_array_library():
    code = """
import sys
import numpy as np
import tensorgrad as tg
x = tg.Variable(np.ones((2, 3)))
tg.functions.sum(tg.functions.tanh(x) * 2.0).backward()
assert x.grad is not None
found = sorted({m.partition('.')[0] for m in sys.modules})
"""
    loaded = in_a_new_process(code)
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_tensorgrad_loads_what_every_program_needs():
    code = """
import sys
import numpy
before = set(sys.modules)
import tensorgrad
found = sorted(set(sys.modules) - before)
"""
    loaded = in_a_new_process(code)
    assert "tensorgrad.functions.arithmetic" in loaded
    assert [name for name in LATER if name in loaded] == []


def test_the_first_call_of_a_numpy_function_records_the_graph():
    code = """
import numpy as np
import tensorgrad as tg
x = tg.Variable(np.ones(2))
y = {call}
y.sum().backward()
found = [type(y) is tg.Variable, x.grad.data.tolist()]
"""
    for call in ("np.multiply(3.0, x)", "np.ones(2) * 3.0 * x", "np.concatenate([3.0 * x])"):
        assert in_a_new_process(code.format(call=call)) == [True, [3.0, 3.0]]
    assert set(operators._PROTOCOLS) == set(numpy_protocol.PROTOCOLS)


@pytest.mark.parametrize("name", SUBMODULES)
def test_one_import_reaches_the_submodules(name):
    assert in_a_new_process(f"import tensorgrad\nfound = [hasattr(tensorgrad, {name!r})]") == [True]


def test_every_public_name_is_there():
    code = "import tensorgrad\nfound = [n for n in dir(tensorgrad) if not n.startswith('_')]"
    names = in_a_new_process(code)
    wanted = {
        *("Variable", "Parameter", "Function", "Op", "Input", "Output", "Config"),
        *("using_config", "no_grad", "test_mode", "as_array", "as_variable", "functions"),
    }
    assert wanted - set(names) == set()
