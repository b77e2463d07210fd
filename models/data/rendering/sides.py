"""Sides of an aperture: past an outline some side sees the point that the centre view sees, where the whole does not.

After Kang, Szeliski and Chai, "Handling occlusions in dense multi-view stereo" (CVPR 2001), who choose among halves of
a row of cameras; here among the quarters, halves and the whole of a grid.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Sides(NamedTuple):
    """Pieces of an aperture that are rendered, and the sides that are put together from them.

    Attributes:
        pieces: ``[P, V, U]`` weights that do not overlap and add up to the aperture's; P = 1, 2 or 4 (at most; a
            piece without any weight is left out). A view on an axis belongs to both sides of it by half.
        shares: ``[S, P]`` on the CPU: of each side, what a piece contributes to its mean; rows add up to 1. The pieces
            themselves come first, then the halves, last the whole.
    """

    pieces: Tensor
    shares: Tensor

    def of(self, means: Tensor) -> Tensor:
        """``[S, ...]`` means over the sides, from those over the pieces ``[P, ...]``; the same for every part of it."""
        out = means.new_empty(len(self.shares), *means.shape[1:])
        for side, shares in zip(out, self.shares.tolist(), strict=True):
            first, *others = [(piece, share) for piece, share in enumerate(shares) if share]
            torch.mul(means[first[0]], first[1], out=side)
            for piece, share in others:
                side.add_(means[piece] * share)
        return out


def sides_of(aperture: Tensor) -> Sides:
    """The sides of an aperture ``[V, U]``, on its device."""
    down, across = (_halves(length, aperture.device) for length in aperture.shape)
    pieces = (down[:, None, :, None] * across[None, :, None, :] * aperture).flatten(0, 1)  # [P, V, U]
    mass = pieces.sum((1, 2))
    quarters = torch.eye(len(pieces), device=aperture.device)
    grid = quarters.view(len(down), len(across), -1)
    groups = [quarters]
    if len(pieces) == 4:
        groups += [grid.sum(1), grid.sum(0)]
    if len(pieces) > 1:
        groups.append(quarters.sum(0, keepdim=True))
    kept = mass > 0
    shares = (torch.cat(groups) * mass)[:, kept]
    shares = shares[shares.sum(1) > 0]
    return Sides(pieces[kept], (shares / shares.sum(1, keepdim=True)).cpu())


def _halves(length: int, device: torch.device) -> Tensor:
    """``[2, length]`` that add up to 1, or ``[1, 1]`` where there is nothing to halve."""
    if length == 1:
        return torch.ones(1, 1, device=device)
    places = torch.arange(length, device=device) - (length - 1) / 2
    return torch.stack([(places < 0) + 0.5 * (places == 0), (places > 0) + 0.5 * (places == 0)])
