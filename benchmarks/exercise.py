"""Every op once, forward and backward, on small odd shapes: what ``gpu_visit.sh`` runs under compute-sanitizer."""

import itertools

import torch

from lfdeblur_ops import dynamic_filter, refocus

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def main(device: str = "cuda") -> None:
    torch.manual_seed(0)
    for dtype, k, per_channel in itertools.product(FLOATS, (1, 3, 5, 7, 9), (False, True)):
        channels = 3 if per_channel else 1
        x = torch.rand(2, 3, 5, 37, device=device, dtype=dtype, requires_grad=True)
        filters = torch.rand(2, channels * k * k, 5, 37, device=device, dtype=dtype, requires_grad=True)
        for layout in (torch.contiguous_format, torch.channels_last):
            dynamic_filter(x, filters.contiguous(memory_format=layout), k).sum().backward()
    for dtype, layout in itertools.product(FLOATS, (torch.contiguous_format, torch.channels_last)):  # several tiles
        x = torch.rand(1, 5, 20, 248, device=device, dtype=dtype, requires_grad=True)
        filters = torch.rand(1, 49, 20, 248, device=device, dtype=dtype).contiguous(memory_format=layout)
        dynamic_filter(x, filters.requires_grad_(), 7).sum().backward()
    maps = torch.linspace(-2, 2, 2 * 7 * 35, device=device).view(2, 7, 35)
    for interpolation, border in itertools.product(("nearest", "bilinear", "bicubic"), ("replicate", "valid")):
        options = {"interpolation": interpolation, "border": border}
        for disparity in (torch.tensor([-1.5, 0.0, 20.0], device=device), maps):
            for dtype in FLOATS:
                views = torch.rand(3, 4, 3, 7, 35, device=device, dtype=dtype, requires_grad=True)
                aperture = torch.rand(2, 3, 4, device=device, requires_grad=True)
                wanted = disparity.clone().requires_grad_()
                refocus(views, wanted, aperture=aperture, **options).sum().backward()
            for dtype in (torch.uint8, torch.uint16):
                refocus(torch.ones(3, 4, 3, 7, 35, dtype=dtype).to(device), disparity, **options)
    for dtype, step in itertools.product((*FLOATS[1:], torch.uint8, torch.uint16), (0.0625, 9.75)):  # focal stacks
        planes = step * torch.arange(-18.0, 19.0, device=device)
        refocus(torch.ones(2, 3, 1, 47, 141, dtype=dtype).to(device), planes)
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
