"""Who decides which back end runs: the call, the block around it, the environment."""

import asyncio
import threading

import pytest
import torch

from lfdeblur_ops import BackendError, _choice, conv3x3, dynamic_filter, use_backend

from ..processes import python
from .transforms import Kernels

X, F = torch.rand(1, 2, 5, 6), torch.rand(1, 9, 5, 6)


def runs(**how):
    """Whether a kernel of ours runs, not the reference."""
    with Kernels() as kernels:
        dynamic_filter(X, F, 3, **how)
    return bool(kernels.names)


def test_precedence():
    assert runs()
    with use_backend("reference"):
        assert not runs()
        assert not runs(backend="auto")
        assert runs(backend="cpu")
        with use_backend("auto"):
            assert runs()
        assert not runs()
    assert runs()


def test_as_a_decorator_and_after_an_error():
    @use_backend("reference")
    def decorated():
        assert not runs()
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            decorated()
        assert runs()


def test_a_block_in_itself():
    block = use_backend("reference")
    with block, block:
        assert not runs()
    assert runs()


def test_functions_that_run_later_are_refused():
    def generator():
        yield

    async def asynchronous():
        pass

    async def both():
        yield

    for function in (generator, asynchronous, both):
        with pytest.raises(TypeError, match=rf"{function.__name__}, a generator or async .* write `with use_b"):
            use_backend("reference")(function)


def test_other_threads_and_tasks_choose_for_themselves():
    seen = []
    with use_backend("reference"):
        thread = threading.Thread(target=lambda: seen.append(runs()))
        thread.start()
        thread.join()
    assert seen == [True]

    async def task(name, expected):
        with use_backend(name):
            await asyncio.sleep(0)
            return runs() == expected

    async def both():
        return await asyncio.gather(task("reference", False), task("cpu", True), task("reference", False))

    assert asyncio.run(both()) == [True] * 3


def test_names():
    with pytest.raises(ValueError, match="name: got 'gpu', want one of 'auto', 'cuda', 'triton', 'cpu', 'winograd'"):
        use_backend("gpu").__enter__()
    with use_backend("triton"), pytest.raises(ValueError, match="backend: got 'triton', want 'auto' or one of 'cuda'"):
        dynamic_filter(X, F, 3)
    with use_backend("winograd"), pytest.raises(BackendError, match="winograd: x has 2 channels"):
        conv3x3(X, torch.rand(2, 2, 3, 3))


def test_compiled_code_follows():
    graphs = []

    def keep(module, inputs):
        graphs.append("lfdeblur" in str(module.graph))
        return module

    compiled = torch.compile(lambda x: dynamic_filter(x, F, 3), backend=keep, fullgraph=True)
    compiled(X)
    with use_backend("reference"):
        compiled(X)
        compiled(X)
    compiled(X)
    assert graphs == [True, False]


def test_compiled_code_is_back_at_the_default_after_blocks_that_overlap():
    entered, left = threading.Event(), threading.Event()

    def other():
        with use_backend("cpu"):
            entered.set()
            left.wait()

    thread = threading.Thread(target=other)
    with use_backend("reference"):
        thread.start()
        entered.wait()
    left.set()
    thread.join()
    ran = []
    torch.compile(lambda x: ran.append(_choice.chosen()) or x + 1, backend="eager", fullgraph=True)(X)
    assert ran == [_choice._default]


@use_backend("reference")
def decorated(x):
    return dynamic_filter(x, F, 3)


def blocks(x):
    with use_backend("reference"):
        y = dynamic_filter(x, F, 3)
        with use_backend("cpu"):
            y = y + dynamic_filter(x, F, 3)
        return y + dynamic_filter(x, F, 3)


@pytest.mark.parametrize(("function", "kernels"), [(decorated, 0), (blocks, 1)])
def test_blocks_within_what_is_compiled(function, kernels):
    counted = []

    def count(module, inputs):
        counted.append(str(module.graph).count("lfdeblur.dynamic_filter"))
        return module

    torch.compile(function, backend=count, fullgraph=True)(X)
    module = torch.nn.Module()
    module.forward = function
    program = torch.export.export(module, (X,))
    counted.append(str(program.graph).count("lfdeblur.dynamic_filter"))
    assert counted == [kernels, kernels]
    assert runs()


def test_environment():
    code = (
        "import torch, lfdeblur_ops as ops\n"
        "lf = torch.zeros(3, 3, 1, 6, 7)\n"
        "for call in (lambda: ops.refocus(lf, 0.0), lambda: ops.refocus(lf, 0.0, backend='reference')):\n"
        "    try:\n"
        "        print(call().shape)\n"
        "    except ops.BackendError as error:\n"
        "        print(error)\n"
        "with ops.use_backend('auto'):\n"
        "    print(ops.refocus(lf, 0.0).shape)\n"
    )
    lines = python(code, LFDEBLUR_BACKEND="cuda").stdout.splitlines()
    assert lines[1:] == ["torch.Size([1, 6, 7])"] * 2
    if not torch.cuda.is_available():
        assert lines[0].startswith("no backend can run this call: cuda: ")
    code = "try:\n    import lfdeblur_ops\nexcept ValueError as error:\n    print(error)"
    assert python(code, LFDEBLUR_BACKEND="gpu").stdout.startswith("LFDEBLUR_BACKEND: got 'gpu', want one of 'auto', ")
