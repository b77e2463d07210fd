"""The back ends that tests go through: where each runs, and what compiles it."""

DEVICE = {"cpu": "cpu", "winograd": "cpu", "reference": "cpu", "cuda": "cuda", "triton": "cuda"}


def compiler(backend):
    """Of torch.compile: the reference is many small operations, which Inductor takes minutes to compile."""
    return "aot_eager" if backend == "reference" else "inductor"
