"""What two processes compute together for ``test_distributed.py``: ops on tensors sharded along the batch; training."""

import copy
import os

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_module, distribute_tensor, init_device_mesh
from torch.nn.parallel import DistributedDataParallel

import lfdeblur_ops as ops
import lfdeblur_ops.distributed
from lfdeblur_models import DRBNet
from lfdeblur_models.networks.blocks import DynamicResidual, ResBlock, UpLevel

# Torch 2.11 has for DTensors neither gradients of strided convolutions nor a pooling.
BEYOND = () if tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 13) else ("conv_transpose4x4", "DRBNet")
PROCESSES = 2
STEPS = 3


def random(*shapes):
    return [torch.randn(shape) for shape in shapes]


def calls():
    """By name: a call, its tensors, and for each of these whether it is sharded along the batch."""
    conv = random((4, 16, 8, 9), (16, 16, 3, 3), 16)
    two = random((4, 8, 8, 9), (16, 16, 3, 3), 16, (4, 8, 8, 9), (4, 16, 8, 9))
    features, weight, bias = random((4, 8, 8, 9), (9, 8), 9)
    leaky = {"activation": "leaky_relu"}
    return {
        "dynamic_filter": (lambda x, f: ops.dynamic_filter(x, f, 3), random((4, 3, 8, 9), (4, 9, 8, 9)), "bb"),
        "dynamic_filter_separable": (
            lambda x, f: ops.dynamic_filter_separable(x, f, 3),
            random((4, 2, 8, 9), (4, 6, 8, 9)),
            "bb",
        ),
        "refocus": (
            lambda x, d, a: ops.refocus(x, d, aperture=a),
            [*random((4, 3, 3, 3, 8, 9), 2), torch.rand(3, 3)],
            "bww",
        ),
        "refocus of each": (
            lambda x, d, a: ops.refocus(x, d, aperture=a, reduce="moments")[1],
            [*random((4, 3, 3, 3, 8, 9), (4, 8, 9)), torch.rand(4, 3, 3, 8, 9)],
            "bbb",
        ),
        "refocus without a sum": (
            lambda x, d, a: ops.refocus(x, d, aperture=a, border="zeros", reduce="none"),
            [*random((4, 3, 3, 3, 8, 9), (1, 2, 8, 9)), torch.rand(1, 2, 3, 3, 8, 9)],
            "bww",
        ),
        "conv3x3": (lambda x, w, b: ops.conv3x3(x, w, b, **leaky), conv, "bww"),
        "conv3x3, winograd": (lambda x, w, b: ops.conv3x3(x, w, b, **leaky, backend="winograd"), conv, "bww"),
        "conv3x3 of two": (lambda x, w, b, x2, r: ops.conv3x3(x, w, b, **leaky, x2=x2, residual=r), two, "bwwbb"),
        "conv_transpose4x4": (
            lambda x, w, b: ops.conv_transpose4x4(x, w, b, **leaky),
            random((4, 8, 8, 9), (8, 16, 4, 4), 16),
            "bww",
        ),
        "residual_block": (lambda x, w, b: ops.residual_block(x, w, b, w, b), conv, "bww"),
        "drb_head": (
            lambda k, w, b, r, v, c, i: ops.drb_head(k, w, b, r, v, c, i, 3),
            [features, weight, bias, *random((4, 8, 8, 9), (3, 8), 3, (4, 3, 8, 9))],
            "bwwbwwb",
        ),
    }


def sharded_call(call, tensors, kinds, mesh):
    """Result and gradients of the sharded tensors and of the whole ones; and how the result is placed."""
    whole = [t.clone().requires_grad_() for t in tensors]
    out = call(*whole)
    grad = torch.randn_like(out)
    parts = [
        distribute_tensor(t.clone(), mesh, [Shard(0) if kind == "b" else Replicate()]).requires_grad_()
        for t, kind in zip(tensors, kinds, strict=True)
    ]
    sharded = call(*parts)
    grads = torch.autograd.grad(sharded, parts, distribute_tensor(grad, mesh, [Shard(0)]))
    return {
        "placement": str(sharded.placements),
        "got": [t.full_tensor().detach() for t in (sharded, *grads)],
        "want": [out.detach(), *torch.autograd.grad(out, whole, grad)],
    }


def losses(net, x, y):
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    found = []
    for _ in range(STEPS):
        loss = (net(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.detach())
    return torch.stack(found)


def in_shards(net, kinds, mesh):
    """``net`` with its parameters sharded, those of modules of ``kinds`` by themselves: the innermost first."""
    for module in reversed(list(net.modules())):
        if isinstance(module, kinds):
            fully_shard(module, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def training(net, x, y, rank, mesh):
    """Losses of data-parallel training, the mean over the processes, beside those of one that has all samples."""
    mine = slice(2 * rank, 2 * rank + 2)
    ways = {
        "DistributedDataParallel": DistributedDataParallel(copy.deepcopy(net)),
        "fully_shard": in_shards(copy.deepcopy(net), (), mesh),
        "fully_shard by blocks": in_shards(copy.deepcopy(net), (ResBlock, UpLevel, DynamicResidual), mesh),
    }
    found = {"alone": losses(copy.deepcopy(net), x, y)}
    for way, parallel in ways.items():
        found[way] = losses(parallel, x[mine], y[mine]) / PROCESSES
        dist.all_reduce(found[way])
    return found


def sharded_network(net, x, mesh):
    want = net(x).detach()
    sharded = distribute_module(net, mesh)(distribute_tensor(x, mesh, [Shard(0)]))
    return {"placement": str(sharded.placements), "got": [sharded.full_tensor().detach()], "want": [want]}


def work(rank, meeting, out):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(PROCESSES)}
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=PROCESSES)
    mesh = init_device_mesh("cpu", (PROCESSES,), mesh_dim_names=("data",))
    torch.manual_seed(0)
    found = {name: sharded_call(*call, mesh) for name, call in calls().items() if name not in BEYOND}
    net, (x, y) = DRBNet(width=8), random((4, 3, 16, 24), (4, 3, 16, 24))
    trained = training(net, x, y, rank, mesh)
    if "DRBNet" not in BEYOND:
        found["DRBNet"] = sharded_network(net, x, mesh)
    if rank == 0:
        torch.save({"sharded": found, "losses": trained}, out)
    dist.destroy_process_group()
