"""The CUDA sources of ``csrc/cuda`` compiled as C++ and called through ctypes, on tensors between guard pages."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.gpu.machine_code import readable
from lfdeblur_ops._filter_forms import BORDERS, Options, SeparableOptions
from lfdeblur_ops.reference.refocus import result_shape

from ...workers import CORES

HERE = Path(__file__).parent
CSRC = HERE.parents[2] / "csrc"
SOURCES = [*sorted((CSRC / "cuda").glob("*.cu")), HERE / "cuda_on_cpu.cpp", HERE / "driver.cpp"]
FLAGS = [
    "-std=c++20",
    "-O0",  # a third of the time of -O1 to compile, and pictures are small
    "-fPIC",
    "-fno-gnu-unique",
    "-fno-strict-aliasing",
    "-fsanitize=alignment",
    "-fsanitize-undefined-trap-on-error",
    "-Wall",
    "-Werror",
    "-Wno-unknown-pragmas",
]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.uint16]
FAR = 2**31 + 2**10  # elements: more than 32 bits count, and a multiple of what a vector holds
NORMALIZATIONS = ["none", "softmax", "sum"]
INTERPOLATIONS = ["nearest", "bilinear", "bicubic"]


class KernelError(RuntimeError):
    """A launch that the harness stopped: out of bounds, a bad barrier, a bad configuration."""


class Launch(NamedTuple):
    """A kernel as the machine code calls it, the threads of a block and the bytes of its dynamic shared memory."""

    kernel: str
    threads: int
    shared: int


def compile_object(source: Path, csrc: Path, cache: Path) -> Path:
    """The object file of ``source`` with the headers below ``csrc``; made once for each content."""
    digest = hashlib.sha256(repr(FLAGS).encode())
    for path in [source, *sorted(csrc.glob("cuda/*.h")), *sorted(csrc.glob("include/**/*.h")), HERE / "cuda_on_cpu.h"]:
        digest.update(path.read_bytes())
    target = cache / f"{source.stem}-{digest.hexdigest()[:24]}.o"
    if not target.exists():
        includes = [f"-I{csrc}", f"-I{csrc / 'include'}", f"-I{HERE}"]
        partial = target.with_suffix(f".{os.getpid()}.{threading.get_ident()}.partial")  # other workers compile it too
        command = ["g++", *FLAGS, *includes, "-x", "c++", "-c", str(source), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        partial.rename(target)
    return target


def link(objects: list[Path], target: Path) -> "Library":
    """Where several objects define a function, the first one's is taken."""
    options = ["-shared", "-Wl,-z,defs", "-Wl,-z,muldefs"]
    subprocess.run(["g++", *options, *map(str, objects), "-o", str(target)], check=True, timeout=60)
    return Library(target)


def build(cache: Path, folder: Path) -> "Library":
    for old in cache.glob("*.o"):
        if time.time() - old.stat().st_mtime > 7 * 86400:
            old.unlink(missing_ok=True)  # by another worker meanwhile
    with ThreadPoolExecutor(CORES) as pool:
        objects = list(pool.map(lambda source: compile_object(source, CSRC, cache), SOURCES))
    return link(objects, folder / "kernels.so")


def build_broken(cache: Path, folder: Path, name: str, old: str, new: str, unit: str) -> "Library":
    """The library with ``old`` replaced by ``new`` in the file ``name`` of csrc/cuda.

    ``unit`` is compiled anew, for float32 alone, which takes a third of the time; for other types it is as it was.
    """
    broken = folder / "csrc"
    shutil.copytree(CSRC / "cuda", broken / "cuda")
    shutil.copytree(CSRC / "include", broken / "include")
    text = (broken / "cuda" / name).read_text()
    assert text.count(old) >= 1, f"{name} no longer has {old!r}: adapt this test"
    (broken / "cuda" / name).write_text(text.replace(old, new, 1))
    source = broken / "cuda" / unit
    source.write_text(re.sub(r"(?m)^INSTANTIATE\w*\((?!float\)|T\)|R\)).*\n", "", source.read_text()))
    objects = [compile_object(source, CSRC, cache) for source in SOURCES]
    return link([compile_object(source, broken, cache), *objects], folder / "broken.so")


def is_kernel(mangled: str) -> bool:
    """And no lambda of one, nor a function that takes one: their names have the kernel's inside, after a Z."""
    name, kernel, _ = mangled.partition("_kernelI")
    return bool(kernel) and "Z" not in name.removeprefix("_Z")


class Library:
    """The launchers of ``csrc/cuda``, on CPU tensors.

    Attributes:
        at_end: buffers end, else begin, at a guard page.
        misplaced: which buffer of a call, counted from 0 in the order of the launcher's arguments, lies one element
            off its alignment.
        far: a buffer counted likewise and an axis of it, whose elements then lie ``FAR`` apart.
    """

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(path))
        self._c.last_error.restype = ctypes.c_char_p
        self._c.guarded_alloc.restype = ctypes.c_void_p
        self._c.refocus_grad_aperture_parts.restype = ctypes.c_int64
        self.at_end = True
        self.misplaced: int | None = None
        self.far: tuple[int, int] | None = None
        nm = ["nm", "--defined-only", str(path)]
        symbols = subprocess.run(nm, capture_output=True, text=True, check=True, timeout=60).stdout
        places = [(int(place, 16), name) for place, _, name in map(str.split, symbols.splitlines())]
        base = ctypes.cast(self._c.take_launch, ctypes.c_void_p).value or 0
        base -= next(place for place, name in places if name == "take_launch")
        self._kernels = {base + place: readable(name) for place, name in places if is_kernel(name)}

    @property
    def kernels(self) -> set[str]:
        """Those that were compiled."""
        return set(self._kernels.values())

    def launches(self) -> list[Launch]:
        """The launches since the last call of this."""
        found, kernel, threads, shared = [], ctypes.c_void_p(), ctypes.c_int64(), ctypes.c_int64()
        while self._c.take_launch(ctypes.byref(kernel), ctypes.byref(threads), ctypes.byref(shared)):
            found.append(Launch(self._kernels[kernel.value or 0], threads.value, shared.value))
        return found

    @contextmanager
    def _arena(self):
        pointers: list[int] = []

        def place(t: Tensor | None, read_only: bool = True) -> Tensor | None:
            if t is None:
                return None
            strides, number = list(t.stride()), len(pointers)
            if self.far is not None and self.far[0] == number:
                strides[self.far[1]] = FAR
            extent = sum((size - 1) * stride for size, stride in zip(t.shape, strides, strict=True)) + 1
            offset = int(number == self.misplaced)
            count = (extent + offset) * t.element_size()
            pointers.append(self._c.guarded_alloc(ctypes.c_size_t(count), int(self.at_end)))
            memory = (ctypes.c_char * count).from_address(pointers[-1])
            copy = torch.frombuffer(memory, dtype=t.dtype).as_strided(t.shape, strides, 0 if self.at_end else offset)
            if read_only:
                once = tuple(slice(1 if stride == 0 else None) for stride in strides)  # what an expanded tensor repeats
                copy[once].copy_(t[once])
                self._c.guarded_read_only(ctypes.c_void_p(pointers[-1]))
            return copy

        try:
            yield place
        finally:
            for pointer in pointers:
                self._c.guarded_free(ctypes.c_void_p(pointer))

    def _call(self, name: str, dtype: torch.dtype, shape, *tensors: Tensor | None) -> None:
        arguments = [ctypes.c_void_p(None if t is None else t.data_ptr()) for t in tensors]
        if getattr(self._c, name)(DTYPES.index(dtype), shape, *arguments):
            raise KernelError(self._c.last_error().decode() or "bad call")

    def dynamic_filter(self, x: Tensor, filters: Tensor, k: int, border: str) -> Tensor:
        with self._arena() as place:
            x, filters, out = place(x), place(filters), place(torch.empty_like(x), False)
            self._call("dynamic_filter", x.dtype, _filter_shape(x, filters, k, border), x, filters, out)
            return out.clone()

    def dynamic_filter_backward(
        self, grad: Tensor, x: Tensor, filters: Tensor, k: int, border: str, need_x=True, need_filters=True
    ) -> tuple[Tensor | None, Tensor | None]:
        with self._arena() as place:
            grad, x, filters = place(grad), place(x), place(filters)
            grad_x = place(torch.empty_like(x) if need_x else None, False)
            like_filters = torch.empty_strided(filters.shape, filters.stride(), dtype=x.dtype, device="meta")
            grad_filters = place(like_filters, False)
            grad_filters = grad_filters if need_filters else None
            shape = _filter_shape(x, filters, k, border)
            self._call("dynamic_filter_backward", x.dtype, shape, grad, x, filters, grad_x, grad_filters)
            grad_x, grad_filters = (None if t is None else t.clone() for t in (grad_x, grad_filters))
            return grad_x, grad_filters

    def dynamic_filter_general(self, x: Tensor, filters: Tensor, options: Options) -> Tensor:
        """``filters [N, G, T, S, H, W]``."""
        return self._filtered("dynamic_filter_general", x, filters, options)

    def dynamic_filter_separable(self, x: Tensor, filters: Tensor, options: SeparableOptions) -> Tensor:
        """``filters [N, G, kh + kw, 1, H, W]``."""
        return self._filtered("dynamic_filter_separable", x, filters, options)

    def _filtered(self, name: str, x: Tensor, filters: Tensor, options: Options) -> Tensor:
        with self._arena() as place:
            x, filters, out = place(x), place(filters), place(_like(x, options.output(x.shape)), False)
            self._call(name, x.dtype, _geometry(x, out, filters, filters, options), x, filters, out)
            return out.clone()

    def dynamic_filter_general_backward(
        self, grad: Tensor, x: Tensor, filters: Tensor, options: Options
    ) -> tuple[Tensor, Tensor]:
        with self._arena() as place:
            grad, x, filters = place(grad), place(x), place(filters)
            grad_x, grad_filters = place(_like(x, x.shape), False), place(torch.empty_like(filters), False)
            shape = _geometry(x, grad, filters, grad_filters, options)
            self._call("dynamic_filter_general_grad_filters", x.dtype, shape, grad, x, filters, grad_filters)
            shape, measured = _geometry(grad_x, grad, filters, grad_filters, options), [None, None]
            if options.normalize != "none":
                outputs = (x.shape[0], filters.shape[1], *grad.shape[-2:])
                sum_dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
                measured = [place(torch.empty(outputs, dtype=sum_dtype), False) for _ in range(2)]
                self._call("dynamic_filter_general_measure", x.dtype, shape, filters, *measured)
            self._call("dynamic_filter_general_grad_x", x.dtype, shape, grad, filters, *measured, grad_x)
            return grad_x.clone(), grad_filters.clone()

    def dynamic_filter_separable_backward(
        self, grad: Tensor, x: Tensor, filters: Tensor, options: SeparableOptions
    ) -> tuple[Tensor, Tensor]:
        with self._arena() as place:
            grad, x, filters = place(grad), place(x), place(filters)
            grad_x, grad_filters = place(_like(x, x.shape), False), place(torch.empty_like(filters), False)
            shape = _geometry(x, grad, filters, grad_filters, options)
            self._call("dynamic_filter_separable_grad_filters", x.dtype, shape, grad, x, filters, grad_filters)
            shape = _geometry(grad_x, grad, filters, grad_filters, options)
            self._call("dynamic_filter_separable_grad_x", x.dtype, shape, grad, filters, grad_x)
            return grad_x.clone(), grad_filters.clone()

    def refocus(self, light_field: Tensor, disparity: Tensor, aperture: Tensor, *options) -> Tensor:
        """Options as the operator takes them: interpolation, border, normalize, cubic_coefficient, reduce."""
        with self._arena() as place:
            light_field, disparity, aperture = place(light_field), place(disparity), place(aperture)
            shape = _refocus_shape(light_field, disparity, aperture, *options)
            dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
            reduce = options[4] if len(options) > 4 else "mean"
            out = place(torch.empty(result_shape(light_field, disparity, aperture, reduce), dtype=dtype), False)
            self._call("refocus", light_field.dtype, shape, light_field, disparity, aperture, out)
            return out.clone()

    def refocus_backward(
        self, grad: Tensor, out: Tensor, light_field: Tensor, disparity: Tensor, aperture: Tensor, *options
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of light field (None for integers), disparity per pixel, aperture. grad, out: the sum's dtype."""
        names = ("interpolation", "border", "normalize", "cubic_coefficient", "reduce")
        given_options = dict(zip(names, options, strict=False))
        border, normalize = given_options["border"], given_options.get("normalize", False)
        reduce = given_options.get("reduce", "mean")
        general = normalize or reduce != "mean" or aperture.dim() > 3
        with self._arena() as place:
            light_field, disparity, aperture, out = (place(t) for t in (light_field, disparity, aperture, out))
            dtype, sum_dtype = light_field.dtype, disparity.dtype
            shape = _refocus_shape(light_field, disparity, aperture, *options)
            scaled = place(torch.empty_like(grad), False).copy_(grad)
            if border == "valid" or normalize or reduce == "moments":
                self._call("refocus_scale_gradient", dtype, shape, scaled, disparity, aperture)
            given = (scaled, out, light_field, disparity)
            grad_light_field = None
            if dtype.is_floating_point and (disparity.dim() > 1 or general):
                grad_light_field = place(torch.empty(light_field.shape, dtype=sum_dtype), False).zero_()
                self._call("refocus_grad_light_field_map", dtype, shape, *given, aperture, grad_light_field)
            elif dtype.is_floating_point:
                grad_light_field = place(torch.empty(light_field.shape, dtype=dtype), False)
                self._call("refocus_grad_light_field", dtype, shape, scaled, disparity, aperture, grad_light_field)
            per_pixel = disparity.shape if disparity.dim() > 1 else (len(disparity), *light_field.shape[-2:])
            grad_disparity = place(torch.empty(per_pixel, dtype=sum_dtype), False)
            self._call("refocus_grad_disparity", dtype, shape, *given, aperture, grad_disparity)
            if aperture.dim() > 3:
                grad_aperture = place(torch.empty(aperture.shape, dtype=sum_dtype), False)
                self._call("refocus_grad_pixel_weights", dtype, shape, *given, grad_aperture)
                grad_aperture = grad_aperture.clone()
            else:
                parts = self._c.refocus_grad_aperture_parts(shape)
                partial = place(torch.empty((parts, *aperture.shape), dtype=sum_dtype), False)
                self._call("refocus_grad_aperture", dtype, shape, *given, partial)
                grad_aperture = partial.sum(0)
            if grad_light_field is not None:
                grad_light_field = grad_light_field.to(dtype).clone()
            return grad_light_field, grad_disparity.clone(), grad_aperture


def _fields(*values: int):
    return (ctypes.c_int64 * len(values))(*(int(value) for value in values))


def _filter_shape(x: Tensor, filters: Tensor, k: int, border: str):
    n, channels, height, width = x.shape
    shared = filters.shape[1] == k * k
    fn, ft, fy, fx = filters.stride()
    groups = 1 if shared else channels
    return _fields(n, groups, channels // groups, height, width, k, border == "replicate", fn, ft * k * k, ft, fy, fx)


def _like(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Channels-last where ``x`` is."""
    last = x.stride(1) == 1 and not x.is_contiguous()
    return torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last if last else torch.contiguous_format)


def _geometry(x: Tensor, out: Tensor, filters: Tensor, grad_filters: Tensor, options: Options):
    n, channels, height, width = x.shape
    groups, rows, columns = filters.shape[1], *options.positions(x.shape)
    fine = filters.shape[-2] != rows
    each = channels // groups

    def strides(t: Tensor) -> tuple[int, ...]:
        per_picture, per_channel, per_row, per_column = t.stride()
        by = (per_channel, per_channel * groups) if options.interleaved else (per_channel * each, per_channel)
        return (per_picture, *by, per_row, per_column)

    return _fields(
        *(n, groups, each, height, width, rows, columns, *options.kernel_size, *options.dilation, *options.stride),
        *(options.scale, fine, BORDERS.index(options.border), NORMALIZATIONS.index(options.normalize)),
        isinstance(options, SeparableOptions),
        *(*strides(x), *strides(out), *filters.stride(), *grad_filters.stride()),
    )


def _refocus_shape(
    light_field: Tensor,
    disparity: Tensor,
    aperture: Tensor,
    interpolation: str,
    border: str,
    normalize: bool = False,
    cubic_coefficient: float = -0.5,
    reduce: str = "mean",
):
    *_, h, w = sizes = light_field.shape
    strides = light_field.stride()
    assert strides[5] == 1
    assert disparity.dim() == 1 or disparity.shape[-2:] == (h, w)
    a, d = aperture.shape[1 if aperture.dim() == 6 else 0], disparity.shape[1 if disparity.dim() == 4 else 0]
    each = [t[0].numel() if t.dim() == axes else 0 for t, axes in ((disparity, 4), (aperture, 6))]
    mode = INTERPOLATIONS.index(interpolation)
    options = (disparity.dim() > 1, border == "valid", border == "zeros", *each, aperture.dim() > 3, normalize)
    last = (["mean", "none", "moments"].index(reduce), round(100 * cubic_coefficient))
    return _fields(*sizes, a, d, *strides[:5], mode, *options, *last)
