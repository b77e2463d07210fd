"""The engine of CUDA graphs: its logic with a recorder in CUDA's place, and on a GPU its results."""

from contextlib import contextmanager

import pytest
import torch

from lfdeblur_models import DRBNet, optimize
from lfdeblur_models.inference.engines import cuda_graphs
from lfdeblur_models.inference.engines.cuda_graphs import GraphEngine, Graphs
from lfdeblur_models.networks.configuration import Configuration

from ..networks.official_weights import official_weights
from ..networks.pictures import VIEWS, pictures


def test_of_the_graphs_the_least_recent_goes():
    made = []
    held = []

    def capture(key):
        held.append(set(graphs))  # what memory is taken while one is captured
        made.append(key)
        return key.upper()

    graphs = Graphs(2, capture)
    assert [graphs[key] for key in "abacb"] == list("ABACB")
    assert made == ["a", "b", "c", "b"]
    assert held == [set(), {"a"}, {"a"}, {"c"}]
    assert set(graphs) == {"c", "b"}


class Stream:
    """Notes what is asked of it; events are the streams' names."""

    def __init__(self, name):
        self.name, self.log = name, []

    def wait_stream(self, other):
        self.log.append(f"after {other.name}")

    def wait_event(self, event):
        self.log.append(f"after {event}")

    def record_event(self, _event=None):
        return self.name


class Net(torch.nn.Module):
    configuration = Configuration()
    restore = ()

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(3.0))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.weight


@pytest.fixture
def engine(monkeypatch):
    """On the CPU; a replay writes the captured output anew, as a GPU would."""
    user, other, own = Stream("user"), Stream("other"), Stream("own")
    captures = []

    class Recorded:
        def replay(self):
            found.output.copy_(found.net(*found.inputs))

    @contextmanager
    def capture(graph, **options):
        captures.append(options)
        yield

    @contextmanager
    def nothing(_):
        yield

    cuda = torch.cuda
    for name, value in {
        "current_stream": lambda _device: engine.current,
        "is_current_stream_capturing": lambda: False,
        "stream": nothing,
        "device": nothing,
        "graph": capture,
        "CUDAGraph": Recorded,
    }.items():
        monkeypatch.setattr(cuda, name, value)
    engine = GraphEngine(Net(), torch.float32)
    engine.pool, engine.stream, engine.current = "pool", own, user
    engine.user, engine.other, engine.captures = user, other, captures

    class Found(cuda_graphs.Graph):
        def __init__(self, net, *rest):
            super().__init__(net, *rest)
            self.net = net

        def replay(self, pictures, stream):
            nonlocal found
            found = self
            return super().replay(pictures, stream)

    found = None
    monkeypatch.setattr(cuda_graphs, "Graph", Found)
    return engine


@torch.no_grad()
def test_each_size_is_captured_once_and_results_are_the_callers(engine):
    first, second = torch.ones(1, 3, 2, 4), torch.full((1, 3, 2, 4), 2.0)
    one, two = engine(first), engine(second)
    assert one.unique().item() == 3
    assert two.unique().item() == 6
    engine(torch.ones(1, 3, 8, 4))
    assert engine.captures == [{"pool": "pool", "stream": engine.stream, "capture_error_mode": "thread_local"}] * 2
    engine(first)
    assert len(engine.captures) == 2


@torch.no_grad()
def test_replays_wait_for_the_one_before(engine):
    """They share their memory, and their callers may be on streams of their own."""
    engine(torch.ones(1, 3, 2, 4))
    engine.current = engine.other
    engine(torch.ones(1, 3, 2, 4))
    assert "after user" in engine.other.log


class OnGpu(torch.Tensor):
    """Notes the streams that its memory waits for; on a CPU there are none."""

    is_cuda = True

    def record_stream(self, stream):
        stream.log.append("inputs kept")


@torch.no_grad()
def test_inputs_of_a_dropped_graph_outlive_the_replay_on_another_stream(engine):
    """Their memory is of the stream that captured, which knows nothing of replays on others."""
    x = torch.ones(1, 3, 2, 4)
    engine(x)
    graph = engine.graphs[tuple(x.shape)]
    graph.inputs = [mine.as_subclass(OnGpu) for mine in graph.inputs]
    engine.current = engine.other
    engine(x)
    assert engine.other.log == ["after user", "inputs kept"]
    assert "inputs kept" not in engine.user.log


def test_capture_in_inference_mode(engine):
    with torch.inference_mode():
        inside = engine(torch.ones(1, 3, 2, 4)).clone()
    with torch.no_grad():
        assert torch.equal(engine(torch.ones(1, 3, 2, 4)), inside)


@torch.no_grad()
def test_within_another_capture_no_graph_is_made(engine, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert engine(torch.ones(1, 3, 2, 4)).unique().item() == 3
    assert engine.captures == []


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("dtype", "precision", "tolerance"),
    [(torch.float32, "ieee", 1e-4), (torch.float32, "tf32", 5e-3), (torch.bfloat16, "tf32", 0.05)],
    ids=str,
)
@pytest.mark.parametrize("kind", VIEWS)
def test_results_on_a_gpu(kind, dtype, precision, tolerance, float32_convolutions):
    """Sizes in turn, on two streams, in and out of inference mode."""
    float32_convolutions(precision)
    plain = DRBNet.from_official(official_weights(kind)).eval()
    sizes = [(33, 48), (16, 24), (33, 48)]
    inputs = [pictures(VIEWS[kind], *size) for size in sizes]
    with torch.no_grad():
        expected = [plain(**views) for views in inputs]
    fast = optimize(plain.cuda(), dtype)
    stream = torch.cuda.Stream()
    for _ in range(2):
        results = []
        for views in inputs:
            on_gpu = {name: view.cuda() for name, view in views.items()}
            torch.cuda.synchronize()
            with torch.inference_mode(), torch.cuda.stream(stream):
                results.append(fast(**on_gpu))
            results.append(fast(**on_gpu))
        torch.cuda.synchronize()
        for got, want in zip(results, [e for e in expected for _ in range(2)], strict=True):
            torch.testing.assert_close(got.cpu(), want, rtol=0, atol=tolerance)


@pytest.mark.cuda
@torch.no_grad()
def test_within_a_capture_on_a_gpu():
    fast = optimize(DRBNet.from_official(official_weights("single")).eval().cuda(), torch.bfloat16)
    x = pictures(1, 32, 32)["center"].cuda()
    expected = fast(x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = fast(x)
    graph.replay()
    torch.testing.assert_close(out, expected)
