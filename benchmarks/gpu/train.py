"""Train a DRBNet for minutes on one GPU, from rendered pairs: ``python -m benchmarks.gpu.train PICTURES --out DIR``.

Sharp pictures go to the device once; pairs are rendered there, a step of training is one CUDA graph, and the time
allowed decides the number of steps. Longer runs, validation and exact resuming are
``lfdeblur train``'s. Runs on a CPU too, slowly, without a graph.
"""

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lfdeblur_models import DRBNet
from lfdeblur_models.data.datasets.picture_files import pictures_in
from lfdeblur_models.data.rendering.layered import PairRenderer, PicturePool, RenderingOptions
from lfdeblur_models.networks.official import official_tensors
from lfdeblur_models.networks.reference import straightforward
from lfdeblur_models.networks.weights import save_weights
from lfdeblur_models.training.config import NetworkConfig
from lfdeblur_models.training.first_weights import start_network
from lfdeblur_models.training.loss import fourier_difference
from lfdeblur_ops import dynamic_filter

from .join import split

SIDES = (128, 256)  # of the pictures of a batch: at first, and in the last part
LAST_PART = 0.2  # of the time
KEEP_EVERY = 60  # seconds
CLIP = 0.3  # largest norm of all gradients
DECAY = 0.999  # of the average of the weights


def ours(net: DRBNet) -> Callable[[Tensor], Tensor]:
    """The network as it is: our ops."""
    return net


def published(net: DRBNet) -> Callable[[Tensor], Tensor]:
    """The published form, PyTorch's convolutions, of the same parameters; our filter."""
    parameters = dict(net.named_parameters())
    weights = {theirs: parameters[name] for name, theirs in official_tensors(net).items()}

    def filtered(image: Tensor, kernels: Tensor) -> Tensor:
        return dynamic_filter(image, kernels.to(image.dtype), net.kernel_size)

    def forward(center: Tensor) -> Tensor:
        center = center.contiguous(memory_format=torch.channels_last)
        return straightforward(weights, center, dynamic_filter=filtered)

    return forward


FORMS = {"ours": ours, "published": published}
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


class Step:
    """One step on a batch of pictures of one size; a CUDA graph where there is a GPU.

    Args:
        net: what is trained. average: the average of its weights, changed along with it.
        optimizer: its rate, where it is a tensor, may change between steps.
        form: one of ``FORMS``. batch, side: of the pictures. frequency: weight of the loss of Fourier coefficients.
    """

    def __init__(
        self,
        net: DRBNet,
        average: DRBNet,
        optimizer: torch.optim.Optimizer,
        form: str,
        batch: int,
        side: int,
        frequency: float,
        dtype: torch.dtype,
    ) -> None:
        self.net, self.average, self.optimizer, self.frequency, self.dtype = net, average, optimizer, frequency, dtype
        self.forward = FORMS[form](net)
        self.device = next(net.parameters()).device
        self.defocused, self.sharp = (torch.rand(batch, 3, side, side, device=self.device) for _ in range(2))
        self.results = torch.zeros(3, device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        if self.device.type == "cuda":
            self._capture()

    def __call__(self, pair: dict[str, Tensor]) -> Tensor:
        """Loss, and mean squared error before and after, ``[3]`` on the device."""
        self.defocused.copy_(pair["defocused"])
        self.sharp.copy_(pair["sharp"])
        if self.graph is None:
            self._step()
        else:
            self.graph.replay()
        return self.results

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.forward(self.defocused * 2 - 1)
        output = (output.float() + 1) / 2
        loss = (output - self.sharp).abs().mean()
        if self.frequency:
            loss = loss + self.frequency * fourier_difference(output, self.sharp)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP, foreach=True)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.net.parameters()), 1 - DECAY)
            before, after = F.mse_loss(self.defocused, self.sharp), F.mse_loss(output.clamp(0, 1), self.sharp)
            self.results.copy_(torch.stack([loss.detach(), before, after]))

    def _capture(self) -> None:
        kept = {name: value.clone() for name, value in self.net.state_dict().items()}
        states = copy.deepcopy(self.optimizer.state_dict()["state"])
        averaged = copy.deepcopy(self.average.state_dict())
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()
        # The graph keeps the memory of parameters and moments: they are set back in place.
        with torch.no_grad():
            for module, state in ((self.net, kept), (self.average, averaged)):
                for name, value in module.state_dict().items():
                    value.copy_(state[name])
            for number, parameter in enumerate(self.net.parameters()):
                for name, value in self.optimizer.state[parameter].items():
                    value.copy_(states[number][name]) if states else value.zero_()


class Rendered:
    """Batches of pairs, many of them rendered at once: launching the renderer takes longer than its work.

    Args:
        renderer: of the pairs. batch: pairs in each. first: number of the first pair.
    """

    AT_ONCE = 8

    def __init__(self, renderer: PairRenderer, batch: int, first: int = 0) -> None:
        self.renderer, self.size, self.first, self.given = renderer, batch, first, 0
        self.pairs: dict[str, Tensor] = {}

    def batch(self) -> dict[str, Tensor]:
        """The next ``size`` pairs."""
        place = self.given % (self.AT_ONCE * self.size)
        if place == 0:
            start = self.first + self.given
            self.pairs = self.renderer(range(start, start + self.AT_ONCE * self.size))
        self.given += self.size
        return {name: value[place : place + self.size] for name, value in self.pairs.items()}


def rate_at(done: float, warmup: float = 0.02) -> float:
    """Share of the largest rate: a linear rise, then a cosine down to 0; ``done`` from 0 to 1."""
    return min(1.0, done / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def fastest(make: Callable[[str], Step], renderer: PairRenderer, batch: int) -> tuple[str, dict[str, float]]:
    """Whichever form of the network takes the least time for a step, and ms of each; one that fails is left out."""
    pairs, device = Rendered(renderer, batch), renderer.pool.pixels.device
    times: dict[str, float] = {}
    for part in ("first rendering", "rendering"):
        begin = time.perf_counter()
        for _ in range(Rendered.AT_ONCE):
            pair = pairs.batch()
        _wait(device)
        times[part] = (time.perf_counter() - begin) * 1000 / Rendered.AT_ONCE
        print(f"{part}: {times[part]:.2f} ms for {pairs.size} pairs", flush=True)
    for form in FORMS:
        begin = time.perf_counter()
        try:
            step = make(form)
            step(pair)
            _wait(device)
            ready = time.perf_counter()
            for _ in range(10):
                step(pair)
            _wait(device)
        except Exception as error:  # whatever a first run on a new device may raise
            print(f"{form}: {type(error).__name__}: {str(error).splitlines()[0][:300]}", flush=True)
            continue
        times[form] = (time.perf_counter() - ready) * 100
        del step
        print(f"{form}: {times[form]:.2f} ms a step of {pairs.size}; ready in {ready - begin:.1f} s", flush=True)
    return min((form for form in FORMS if form in times), key=lambda form: times[form]), times


class Run:
    """A run of training for a time; ``--help`` tells the options.

    Attributes:
        steps: a step for each size of pictures. pairs: the pairs of each.
        times: ms that were measured to choose among ``FORMS``. count: steps done.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.begin = options, time.perf_counter()
        self.device = torch.device(options.device)
        cuda = self.device.type == "cuda"
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        pool = PicturePool.read(pictures_in(options.pictures), self.device)
        net = start_network(NetworkConfig(width=options.width, start=options.start), options.seed).to(self.device)
        self.average = copy.deepcopy(net).requires_grad_(False)
        self.rate = torch.tensor(0.0, device=self.device)
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=self.rate, betas=(0.9, 0.99), weight_decay=1e-4, capturable=cuda, fused=cuda
        )
        dtype = DTYPES[options.dtype or ("bf16" if cuda else "fp32")]
        first = options.sides[0]
        batches = {side: max(1, options.batch * first**2 // side**2) for side in options.sides}

        def step_of(form: str, side: int) -> Step:
            return Step(net, self.average, optimizer, form, batches[side], side, options.frequency, dtype)

        self.pairs = {}
        for number, side in enumerate(options.sides):
            renderer = PairRenderer(pool, RenderingOptions(side=side, radius=options.radius), seed=options.seed)
            self.pairs[side] = Rendered(renderer, batches[side], number << 40)
        self.form = options.form or ("" if cuda else "ours")
        self.times: dict[str, float] = {}
        self.count = 0
        if not self.form:
            self.form, self.times = fastest(
                lambda form: step_of(form, first), self.pairs[first].renderer, batches[first]
            )
        self.steps = {side: step_of(self.form, side) for side in options.sides}

    def __call__(self) -> None:
        """Train until the time is over. Raises SystemExit where the loss is no longer finite."""
        options, (first, last) = self.options, self.options.sides
        sums, counted = torch.zeros(3, device=self.device), 0
        start = told = kept = time.perf_counter()
        length = max(1.0, options.seconds - (start - self.begin))
        with (options.out / "training.csv").open("w") as log:
            print("seconds,steps,pairs,loss,input_psnr,output_psnr", file=log)
            while (done := (time.perf_counter() - start) / length) < 1:
                side = last if done > 1 - LAST_PART else first
                self.rate.fill_(options.rate * rate_at(done))
                sums += self.steps[side](self.pairs[side].batch())
                self.count, counted = self.count + 1, counted + 1
                if self.count % 8 == 0:
                    _wait(self.device)  # the queue of launches stays short: what the clock says is done
                now = time.perf_counter()
                if now - told > min(10, length / 5):
                    self._tell(log, sums / counted, now - start)
                    sums.zero_()
                    counted, told = 0, now
                if now - kept > KEEP_EVERY:
                    self.save()
                    kept = time.perf_counter()
        self.save()

    def _tell(self, log: TextIO, results: Tensor, seconds: float) -> None:
        loss, before, after = results.tolist()
        decibels = [-10 * math.log10(max(error, 1e-12)) for error in (before, after)]
        print(",".join(f"{v:.5g}" for v in (seconds, self.count, self.drawn, loss, *decibels)), file=log, flush=True)
        print(
            f"{seconds:5.0f} s {self.count} steps, {self.drawn / seconds:.0f} pairs/s, loss {loss:.4f}, "
            f"PSNR {decibels[0]:.2f} to {decibels[1]:.2f}, rate {float(self.rate):.1e}",
            flush=True,
        )
        if not math.isfinite(loss):
            raise SystemExit("gpu_train: the loss is no longer finite")

    @property
    def drawn(self) -> int:
        """Pairs that were seen."""
        return sum(pairs.given for pairs in self.pairs.values())

    def save(self) -> None:
        """The averaged weights, in parts that travel, and what was done. Raises SystemExit: they are not finite."""
        if not all(bool(torch.isfinite(value).all()) for value in self.average.state_dict().values()):
            raise SystemExit("gpu_train: the weights are no longer finite; those saved before are kept")
        path = self.options.out / "weights.safetensors"
        save_weights(self.average.configuration, self.average.state_dict(), path)
        split(path)
        facts = {
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "torch": torch.__version__,
            "form": self.form,
            "ms": self.times,
            "steps": self.count,
            "pairs": self.drawn,
            "seconds": time.perf_counter() - self.begin,
            "options": {k: str(v) for k, v in vars(self.options).items() if k not in ("pictures", "out")},
        }
        (self.options.out / "run.json").write_text(json.dumps(facts, indent=1) + "\n")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.train", description=__doc__)
    parser.add_argument("pictures", type=Path, metavar="PICTURES", help="a folder of sharp pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and log")
    parser.add_argument(
        "--seconds", type=float, default=240, help="from reading pictures to the last step (%(default)s)"
    )
    parser.add_argument("--width", type=int, default=32, help="of the network (%(default)s)")
    parser.add_argument("--start", default="identity", help="identity, random, or a file of weights (%(default)s)")
    parser.add_argument("--sides", type=int, nargs=2, default=SIDES, help="of the pairs, at first and last (128 256)")
    parser.add_argument("--batch", type=int, default=64, help="pairs of the first size (%(default)s)")
    parser.add_argument("--rate", type=float, default=1e-3, help="largest, of AdamW (%(default)s)")
    parser.add_argument(
        "--radius",
        type=float,
        default=16.0,
        help="largest, of blur, in pixels (%(default)s); 1.86 times it in enlarged pairs",
    )
    parser.add_argument("--frequency", type=float, default=0.5, help="weight of the Fourier loss (%(default)s)")
    parser.add_argument("--form", choices=FORMS, help="of the network, instead of the fastest")
    parser.add_argument("--dtype", choices=DTYPES, help="of the features (bf16 on a GPU, fp32 on a CPU)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    run()
    print(f"{run.form}: {run.count} steps, {run.drawn} pairs in {time.perf_counter() - run.begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
