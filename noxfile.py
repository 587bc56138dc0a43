"""Every check of tensorgrad, each in an environment of its own: `nox -l` lists them.

`nox` alone runs lint, types and tests-cpu. What follows `--` goes to the session's program, so
`nox -s tests-cpu -- -k softmax` runs the tests of softmax.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|venv"  # where uv is installed an environment takes 4 s, not 40
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests-cpu"]

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
# torch is pinned once, in the extra `dev`: results are compared with it.
TORCH = next(r for r in PROJECT["optional-dependencies"]["dev"] if r.startswith("torch=="))

# CuPy imports without a driver. With NVRTC beside it, it also compiles CUDA kernels without one.
CUPY_NO_DEVICE = ("cupy-cuda12x", "ml_dtypes", "nvidia-cuda-nvrtc-cu12", "nvidia-cuda-runtime-cu12")
CUPY_DEVICE = ("cupy-cuda12x[ctk]", "ml_dtypes")

# What runs on the double of CuPy, where there is no device.
ON_DOUBLE = ("cuda_kernels", "cuda_steps", "cuda_graphs", "cuda_bfloat16", "capture", "ops", "optimizers")
ON_DOUBLE += ("normalization", "recurrent", "conv_layers", "attention", "autocast")

COUNT_DEVICES = """
try:
    import cupy
    print(cupy.cuda.runtime.getDeviceCount())
except Exception:
    print(0)
"""

# What the Chromium that opens pages is called: Debian, others, macOS.
CHROMIUMS = (
    *("chromium", "chromium-browser", "google-chrome", "chrome"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# The official conformance suite, with the specification as its submodule.
SUITE = "https://github.com/data-apis/array-api-tests"
SUITE_COMMIT = "55fcc60179efa2680ddd6cd926ddf17b83530e2b"
SUITE_VERSION = "2025.12"  # of the standard
# Backend -> the inner library as the suite imports it, and how many tests must pass on tensorgrad.
CONFORMING = {
    "numpy": ("array_api_compat.numpy", 1354),
    "array_api_strict": ("array_api_strict", 0),
    "torch": ("array_api_compat.torch", 0),
}

# Without the float32 half of the table of ops: for where it would take minutes, or shows nothing new.
ONE_PRECISION = ["-k", "not (test_forward and float32) and not test_gradients_in_float32"]

# What starts programs, trains, or looks at our own code is run on one version of NumPy.
ALIKE_ON_EVERY_NUMPY = (
    *("book_checkout", "book_names", "callbacks", "conftest", "cuda", "cuda_backend", "demo", "dezero"),
    *("downloads", "examples", "examples_training", "import", "mpi_faults", "op_coverage", "report"),
    *("step_counts", "third_party_backend", "tutorial"),
)

IN_WHEEL = {
    "tensorgrad/__init__.py",
    "tensorgrad/py.typed",
    "tensorgrad/data/digits.npz",
    "tensorgrad/data/digits.LICENSE.md",
    "tensorgrad/graphs/browser/page.html",
    "tensorgrad/graphs/browser/start.js",
    "tensorgrad/data/lynx_hare.csv",
    "tensorgrad_backends/__init__.py",
    "tensorgrad_backends/numpy.py",
    "tensorgrad_backends/cuda_kernels/softmax.cu",
}

FROM_WHEEL = """
import pathlib, sys
import tensorgrad, tensorgrad_backends
for module in (tensorgrad, tensorgrad_backends):
    if pathlib.Path(sys.prefix) not in pathlib.Path(module.__file__).parents:
        sys.exit(f"{module.__name__} comes from {module.__file__}, not from the wheel")
print("tensorgrad", tensorgrad.__version__, "from", tensorgrad.__file__)
"""


def install_torch(session: nox.Session) -> None:
    """Install PyTorch with pip: its configuration may name an index of builds for the CPU; uv reads none."""
    if session.venv_backend == "uv":
        session.install("pip")
    session.run_install("python", "-m", "pip", "install", TORCH)


def pytest(session: nox.Session, *args: str, backends: str = "numpy", **env: str) -> None:
    """Run pytest on the named backends, comma separated.

    On one thread: the arrays are small, and threads that wait for one another are time lost.
    """
    env = {
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TENSORGRAD_TEST_BACKENDS": backends,
        **env,
    }
    session.run("python", "-m", "pytest", *args, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """Train a classifier of handwritten digits; on the GPU where there is one."""
    session.install("-e", ".[demo]")
    if shutil.which("nvidia-smi"):
        session.install(*CUPY_DEVICE)
    session.run("python", "-m", "tensorgrad.demo", *session.posargs, env={"MPLBACKEND": "Agg"})


@nox.session(name="tests-cpu")
def tests_cpu(session: nox.Session) -> None:
    """Run the whole suite on NumPy and array-api-strict, and every documented example."""
    session.install("-e", ".[test]")
    pytest(session, *session.posargs, backends="numpy,array_api_strict")


@nox.session(name="tests-mpi")
def tests_mpi(session: nox.Session) -> None:
    """Run the tests of tensorgrad.distributed under mpiexec: on 2 and on 4 ranks, with faults and devices."""
    session.install("-e", ".[test,mpi]")
    env = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # more ranks than cores
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TENSORGRAD_TEST_BACKENDS": "numpy",
    }
    for ranks in ("2", "4"):
        command = ["mpiexec", "-n", ranks, "python", "-m", "pytest", "tests/mpi", *session.posargs]
        session.run(*command, env=env)
    pytest(session, "tests/test_mpi_faults.py", "tests/test_mpi_device.py", *session.posargs)


@nox.session(name="tests-browser")
def tests_browser(session: nox.Session) -> None:
    """Open the pages that tensorgrad writes in an installed Chromium, and run the notebooks of docs/.

    Screenshots go to build/screenshots. CHROMIUM names the program where it is not on the PATH.
    """
    found = [path for name in CHROMIUMS if (path := shutil.which(name))]
    chromium = os.environ.get("CHROMIUM") or (found[0] if found else "")
    if not chromium:
        session.error(
            "tests-browser: no Chromium was found. Install one (Debian: apt-get install chromium), or name "
            "it in the environment: CHROMIUM=/path/to/chrome"
        )
    session.install("-e", ".[browser]")
    env = {"CHROMIUM": chromium, "TENSORGRAD_SCREENSHOTS": str(Path("build", "screenshots").resolve())}
    pytest(session, "tests/browser", *session.posargs, **env)


@nox.session(name="tests-onnx")
def tests_onnx(session: nox.Session) -> None:
    """Write every model and every op as an ONNX file, and run it."""
    session.install("-e", ".[test,onnx]")
    paths = ["tests/test_export_onnx.py", "tests/test_export_ops.py", "docs/onnx.md"]
    pytest(session, *paths, *session.posargs, backends="ndonnx", OMP_NUM_THREADS="1")


@nox.session(name="tests-cuda")
def tests_cuda(session: nox.Session) -> None:
    """Run the suite on CuPy; without a device only what needs none, with a count of the rest."""
    session.install("-e", ".[test]", *CUPY_NO_DEVICE)
    devices = session.run("python", "-c", COUNT_DEVICES, silent=True, log=False)
    if int(devices) > 0:
        session.install(*CUPY_DEVICE)
        pytest(session, "tests", *session.posargs, backends="cupy")
    else:
        session.log("No CUDA device was found: only the tests that need none are run.")
        pytest(session, "tests", "-m", "cuda or gpu", *session.posargs)
        session.log("The same on the double of CuPy: its kernels run on the host.")
        env = {"TENSORGRAD_CUPY_DOUBLE": "1", "TENSORGRAD_TEST_SAMPLES": "first", "TENSORGRAD_COVERAGE": ""}
        paths = [f"tests/test_{name}.py" for name in ON_DOUBLE]
        paths += ["tests/test_examples_training.py::test_the_same_script_on_every_backend"]
        pytest(session, *paths, *ONE_PRECISION, *session.posargs, backends="cupy", **env)


@nox.session
@nox.parametrize(
    "backend",
    [nox.param(name, id=name) for name in ("torch", "jax", "dpnp", "array_api_strict", "dask")],
)
def backends(session: nox.Session, backend: str) -> None:
    """Run the suite on one array library, on the CPU."""
    extra = backend.replace("_", "-")
    if backend == "torch":
        install_torch(session)
    session.install("-e", f".[test,{extra}]")
    libraries = Path(session.virtualenv.location, "lib")
    short = "TENSORGRAD_SHORT" in os.environ  # as in .ci/run
    samples = "first" if short else "all"
    env = {
        # It compiles every shape anew, and half of the time would go into making programs fast that run once.
        "jax": {
            "JAX_ENABLE_X64": "1",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false",
            "TENSORGRAD_TEST_SAMPLES": samples,
        },
        # A graph of tasks for every number; for small ones its threads are time lost.
        "dask": {"DASK_SCHEDULER": "synchronous", "TENSORGRAD_TEST_SAMPLES": "first"},
        # dpnp's device is the OpenCL driver for CPUs that is installed with it.
        "dpnp": {
            "TENSORGRAD_TEST_SAMPLES": samples,
            "LD_LIBRARY_PATH": str(libraries),
            "OCL_ICD_FILENAMES": str(libraries / "libintelocl.so"),
        },
    }.get(backend, {})
    if backend == "dask":
        tests = (
            "(test_forward and float64)",
            "test_gradients_in_float32",
            "records_nothing",
            "test_backends",
        )
        paths = ["tests/test_ops.py", "tests/test_backends.py", "-k", " or ".join(tests)]
    elif backend in ("jax", "dpnp"):
        names = ("ops", "backends", "inplace", "masks", "operators", "indexing", "derivatives", "complex")
        names += ("autocast",)
        if backend == "jax":
            names += ("against_jax", "capture", "migration")
        else:
            names += ("layers", "conv_layers", "models", "recurrent", "attention", "normalization")
            names += () if short else ("gpt", "losses", "optimizers", "unet", "vision_models")
        paths = [f"tests/test_{name}.py" for name in names]
        paths += ["tests/test_examples_training.py::test_the_same_script_on_every_backend"]
        if backend == "dpnp" and short:  # of the optimizers the trajectories: all takes a minute
            paths += ["tests/test_optimizers.py::test_trajectory_against_the_formula"]
            paths += ["tests/test_vision_models.py::test_they_run_train_and_come_back_from_a_file"]
            paths += ["tests/test_gpt.py::test_it_computes_its_formula"]
            paths += ["tests/test_unet.py::test_every_size_comes_out_as_it_went_in"]
        paths += ONE_PRECISION
    else:
        paths = ["tests", "README.md"]
    pytest(session, *paths, *session.posargs, backends=backend, **env)


@nox.session(name="array-api-tests")
def array_api_tests(session: nox.Session) -> None:
    """Run the official conformance suite on tensorgrad and on the libraries inside, and compare.

    The suite is that of ARRAY_API_TESTS_DIR, or a clone. `-- torch` runs one backend.
    """
    # Not editable: Hypothesis tries numbers that it finds in modules outside site-packages, and both runs
    # must try the same ones.
    names = session.posargs or list(CONFORMING)
    if "torch" in names:
        install_torch(session)
    session.install(".[array-api-strict]")
    suite = Path(os.environ.get("ARRAY_API_TESTS_DIR") or clone_of_suite(session))
    session.install("-r", str(suite / "requirements.txt"))
    tests = Path(__file__).resolve().parent / "tests" / "array_api"
    work = Path(session.create_tmp()).resolve()
    failed = []
    for backend in names:
        inner, floor = CONFORMING[backend]
        for module in (inner, "tensorgrad"):
            env = {
                "ARRAY_API_TESTS_MODULE": module,
                "ARRAY_API_TESTS_VERSION": SUITE_VERSION,
                "HYPOTHESIS_STORAGE_DIRECTORY": str(work / "hypothesis"),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(tests),
                "TENSORGRAD_BACKEND": backend,
            }
            report = work / f"{backend}-{module}.json"
            report.unlink(missing_ok=True)
            args = [
                "--derandomize",
                "--disable-deadline",
                "--max-examples=20",
                "--tb=no",
                "--disable-warnings",
                "-q",
            ]
            args += ["-p", "repeatable", "-p", "no:cacheprovider", f"--json-report-file={report}"]
            with session.chdir(suite):
                session.run(
                    *("python", "-m", "pytest", "array_api_tests", "--json-report", *args),
                    env=env,
                    success_codes=[0, 1],  # some tests fail on the inner libraries
                )
        reports = [str(work / f"{backend}-{module}.json") for module in (inner, "tensorgrad")]
        known = ["--known", str(tests / f"{backend}.txt"), "--floor", str(floor)]
        try:
            session.run("python", str(tests / "compare.py"), *reports, *known)
        except nox.command.CommandFailed:
            failed.append(backend)
    if failed:
        session.error(f"not as conforming as the library inside: {', '.join(failed)}")


def clone_of_suite(session: nox.Session) -> Path:
    """The conformance suite at the commit that is known here."""
    path = Path(session.cache_dir, "array-api-tests").resolve()
    if not path.exists():
        session.run("git", "clone", "--quiet", SUITE, str(path), external=True)
    with session.chdir(path):
        session.run("git", "fetch", "--quiet", external=True)
        session.run("git", "checkout", "--quiet", SUITE_COMMIT, external=True)
        session.run("git", "submodule", "update", "--init", "--quiet", external=True)
    return path


@nox.session
def consumers(session: nox.Session) -> None:
    """Call SciPy, scikit-learn, array-api-extra and einops with Variables over NumPy and array-api-strict."""
    session.install("-e", ".[test,consumers]")
    env = {"SCIPY_ARRAY_API": "1"}
    session.run("python", "-m", "consumers.page", "--check", env={**env, "PYTHONPATH": "tests"})
    pytest(session, "tests/consumers", *session.posargs, backends="numpy,array_api_strict", **env)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site in docs/_build/html: a warning is an error, and so is a link to nowhere within it.

    `-- external` looks up the links that lead out of it instead, which needs the network.
    """
    session.install("-e", ".[docs]")
    env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    build = ("python", "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")
    if "external" in session.posargs:
        session.run(*build, "--builder", "linkcheck", "docs", "docs/_build/links", env=env)
        return
    shutil.rmtree("docs/_build/html", ignore_errors=True)  # with pages that are no longer made
    session.run(*build, *session.posargs, "docs", "docs/_build/html", env=env)
    session.run("python", "docs/site/links.py", "docs/_build/html")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the direction of imports."""
    session.install("-e", ".[lint]")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-e", ".[types]")
    session.run("mypy", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks and write benchmarks/RESULTS.md; `-- --short` only shows that they work.

    One thread unless OMP_NUM_THREADS says otherwise: then the processor's time is taken.
    """
    install_torch(session)
    if "--short" in session.posargs:
        session.install("-e", ".[bench]")
        short = ["--benchmark-min-rounds=2", "--benchmark-max-time=0.05"]
        args = [a for arg in session.posargs for a in (short if arg == "--short" else [arg])]
    else:
        session.install("-e", ".[bench,rivals]")
        args = ["--benchmark-max-time=0.5", "--results=benchmarks/RESULTS.md", *session.posargs]
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    pytest(session, "benchmarks", "--benchmark-only", *args, OMP_NUM_THREADS=threads)


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, look inside, and test the wheel where the source tree is not."""
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work)
    session.install("build")
    # The wheel is built from the unpacked sdist, so the sdist must be whole.
    session.run("python", "-m", "build", "--outdir", str(work / "dist"))
    (sdist,) = (work / "dist").glob("*.tar.gz")
    (built,) = (work / "dist").glob("*.whl")

    missing = IN_WHEEL - set(zipfile.ZipFile(built).namelist())
    if missing:
        session.error(f"{built.name} lacks {', '.join(sorted(missing))}")

    session.run("python", "-m", "venv", str(work / "venv"))
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = str(work / "venv" / scripts / "python")
    with session.chdir(work):
        # With its hard dependencies alone it works, and reports what it finds.
        session.run(python, "-m", "pip", "install", "--quiet", str(built), external=True)
        session.run(python, "-c", FROM_WHEEL, external=True)
        session.run(python, "-m", "tensorgrad", external=True)

    # The tests come from the sdist, whose copy of the packages is taken away first.
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    tree = work / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(tree / "tensorgrad")
    shutil.rmtree(tree / "backends")
    with_uv = ["uv", "pip", "install", "--python", python]
    installer = with_uv if session.venv_backend == "uv" else [python, "-m", "pip", "install"]
    session.run(*installer, "--quiet", f"{built}[test]", external=True)
    with session.chdir(tree):
        env = {"MPLBACKEND": "Agg", "TENSORGRAD_TEST_BACKENDS": "numpy", "TENSORGRAD_COVERAGE": ""}
        # What the installation decides; what the code does is for the other sessions.
        modules = ("import", "lazy", "backends", "third_party_backend", "demo", "data", "report", "models")
        args = [*(f"tests/test_{name}.py" for name in modules), "README.md", *session.posargs]
        session.run(python, "-c", FROM_WHEEL, external=True)
        session.run(python, "-m", "pytest", *args, env=env, external=True)


@nox.session(reuse_venv=False)
def minimums(session: nox.Session) -> None:
    """Run the suite on the oldest versions of the hard dependencies."""
    oldest = [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]
    session.install("-e", ".[test]", *oldest)
    # Those of memory, too, look at our own code, not at what NumPy does.
    memory = "test_no_gradient_that_nobody or test_fresh_gradients or test_what_was_saved_is_freed"
    chosen = ["-k", f"{ONE_PRECISION[1]} and not ({memory})"]
    ignored = [f"--ignore=tests/test_{name}.py" for name in ALIKE_ON_EVERY_NUMPY]
    pytest(session, "tests", *ignored, *chosen, *session.posargs, TENSORGRAD_COVERAGE="")
