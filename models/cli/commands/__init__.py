"""What each subcommand takes: its options and its help, in files that import no PyTorch."""

from .ablate import ablate
from .convert import convert
from .deblur import deblur
from .demo import demo
from .depth import depth
from .epi import epi
from .evaluate import evaluate
from .export import export
from .generate import generate
from .info import info
from .refocus import refocus
from .simulate import simulate
from .train import train
from .view import view

# By what they are for, as the help lists them.
COMMANDS = {
    "Look": (info, view, demo),
    "Photographs": (deblur, export),
    "Light fields": (depth, refocus, epi, convert, simulate),
    "Networks": (generate, train, evaluate, ablate),
}
