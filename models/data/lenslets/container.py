"""Lytro's containers, ``.lfp`` and ``.lfr``: sections, the table of contents, metadata; in and out."""

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...io.atomic import atomic_path
from ..errors import LightFieldError

_FILE = b"\x89LFP\r\n\x1a\n"
_KINDS = {b"\x89LFM\r\n\x1a\n": "LFM", b"\x89LFC\r\n\x1a\n": "LFC"}
_VERSION = 1
_HASH, _HASH_PADDING = 45, 35
_SHORT_HEADER = 12 + 4  # magic and version, length: all that an empty section need have
_HEADER = _SHORT_HEADER + _HASH + _HASH_PADDING  # and SHA-1 as text, zeros
_DEEPEST = 100
_ALIGNED = 16  # bytes; sections that are written begin at multiples
_JSON_REFERENCES = ("metadataRef", "privateMetadataRef")


@dataclass(frozen=True)
class Section:
    """One section of a container.

    Attributes:
        kind: ``LFM`` (table of contents) or ``LFC`` (content).
        sha1: its name in the table of contents, ``sha1-`` and 40 hexadecimal digits.
        offset: of its data in the file, in bytes.
        size: of its data, in bytes.
        role: the reference in the table of contents that points to it, for example ``imageRef``; empty: none does.
    """

    kind: str
    sha1: str
    offset: int
    size: int
    role: str = ""


@dataclass(frozen=True)
class LytroContainer:
    """What a ``.lfp`` or ``.lfr`` file tells.

    Attributes:
        sections: in the order of the file.
        contents: the JSON table of contents.
        metadata: the JSON documents that it refers to, by the name of the reference: ``metadataRef``,
            ``privateMetadataRef``.
    """

    sections: tuple[Section, ...]
    contents: dict[str, Any]
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    def section(self, reference: str) -> Section | None:
        """The section of the first frame that a reference names, ``imageRef`` for one; None: there is none."""
        frame = first_frame(self.contents)
        name = frame.get(reference)
        return next((section for section in self.sections if section.sha1 == name), None)


def first_frame(contents: dict[str, Any]) -> dict[str, Any]:
    """The first frame of a table of contents, as Lytro Desktop 4 or older versions write it; empty: none."""
    picture = contents.get("picture")
    frames = contents.get("frames") or (picture.get("frameArray") if isinstance(picture, dict) else None)
    first = frames[0] if isinstance(frames, list) and frames else None
    frame = first.get("frame") if isinstance(first, dict) else None
    return frame if isinstance(frame, dict) else {}


def is_lytro(path: Path) -> bool:
    """Whether the file has the signature of a Lytro container, or its suffix."""
    if not path.is_file():
        return False
    if path.suffix.lower() in (".lfp", ".lfr"):
        return True
    with path.open("rb") as file:
        return file.read(8) == _FILE


def read_lytro(path: str | Path) -> LytroContainer:
    """Read the sections and metadata of a ``.lfp`` or ``.lfr`` file; raw data is skipped.

    Raises:
        LightFieldError: not such a file, truncated, or its table of contents is not JSON.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            head = file.read(16)
            if head[:8] != _FILE:
                raise LightFieldError(f"{path}: not a Lytro container: it does not start with its signature")
            if len(head) < 16:
                raise LightFieldError(f"{path}: truncated: it ends in the header")
            at = 16 + struct.unpack(">I", head[12:])[0]
            sections: list[Section] = []
            while (at := _skip_zeros(file, at)) < size:
                sections.append(_section(path, file, at, size, len(sections)))
                at = sections[-1].offset + sections[-1].size
            documents = {section.sha1: _json(path, file, section) for section in sections if section.kind == "LFM"}
            if not documents:
                raise LightFieldError(f"{path}: no table of contents (a section LFM) among {len(sections)} sections")
            contents = next(iter(documents.values()))
            references = _references(contents)
            roles = dict(references)
            sections = [Section(s.kind, s.sha1, s.offset, s.size, roles.get(s.sha1, "")) for s in sections]
            frame = first_frame(contents)
            metadata = {}
            for role in _JSON_REFERENCES:
                wanted = frame.get(role, next((sha1 for sha1, key in references if key == role), None))
                section = next((section for section in sections if section.sha1 == wanted), None)
                if section is not None:
                    metadata[role] = _json(path, file, section)
    except OSError as error:
        raise LightFieldError(f"{path}: cannot be read ({error.strerror})") from error
    return LytroContainer(tuple(sections), contents, metadata)


def write_container(path: Path, contents: dict[str, Any], sections: Iterable[bytes]) -> None:
    """Write a container; the file appears whole or not at all.

    Args:
        contents: the table of contents, which refers to the sections by ``sha1_name`` of their bytes.

    Raises:
        OutputError: the file cannot be written.
    """
    table = json.dumps(contents, indent=1).encode()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_FILE + struct.pack(">II", _VERSION, 0))
        for kind, data in (("LFM", table), *(("LFC", data) for data in sections)):
            magic = next(magic for magic, name in _KINDS.items() if name == kind)
            name = sha1_name(data).encode()
            file.write(magic + struct.pack(">II", 0, len(data)) + name + bytes(_HASH_PADDING) + data)
            file.write(bytes(-file.tell() % _ALIGNED))


def sha1_name(data: bytes) -> str:
    """What a table of contents calls a section."""
    return "sha1-" + hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _skip_zeros(file: Any, at: int) -> int:
    """Sections are padded with zeros, by how many is not told."""
    file.seek(at)
    while block := file.read(4096):
        kept = block.lstrip(b"\0")
        if kept:
            return at + len(block) - len(kept)
        at += len(block)
    return at


def _section(path: Path, file: Any, at: int, size: int, index: int) -> Section:
    file.seek(at)
    header = file.read(_HEADER)
    kind = _KINDS.get(header[:8])
    if kind is None:
        raise LightFieldError(f"{path}: damaged: no section starts at byte {at}")
    length = struct.unpack_from(">I", header, 12)[0] if len(header) >= _SHORT_HEADER else 1
    if not length and header[_SHORT_HEADER:][:5] != b"sha1-":
        return Section(kind, "", at + _SHORT_HEADER, 0)
    if len(header) < _HEADER:
        raise LightFieldError(f"{path}: truncated: it ends in the header of section {index}")
    sha1 = header[16 : 16 + _HASH].rstrip(b"\0").decode("ascii", "replace")
    start = at + _HEADER
    if start + length > size:
        raise LightFieldError(f"{path}: truncated: section {index} ({kind}) has {size - start} of {length} bytes")
    return Section(kind, sha1, start, length)


def _json(path: Path, file: Any, section: Section) -> dict[str, Any]:
    file.seek(section.offset)
    try:
        document = json.loads(file.read(section.size).rstrip(b"\0"))
    except (ValueError, RecursionError) as error:
        raise LightFieldError(f"{path}: section {section.sha1 or section.kind} is not JSON ({error})") from error
    if _is_deep(document):
        raise LightFieldError(f"{path}: section {section.sha1 or section.kind} is JSON nested {_DEEPEST} times or more")
    return document if isinstance(document, dict) else {"value": document}


def _is_deep(document: Any) -> bool:
    """Whether a document is nested deeper than a camera's, and than who follows it can go."""
    level = [document]
    for _ in range(_DEEPEST):
        level = [
            inner
            for node in level
            if isinstance(node, dict | list)
            for inner in (node.values() if isinstance(node, dict) else node)
        ]
    return bool(level)


def _references(contents: Any) -> list[tuple[str, str]]:
    """All pairs of a section's SHA-1 and the name of the key that refers to it, at any depth."""
    found, nodes = [], [contents]
    for node in nodes:
        if isinstance(node, dict):
            found += [(value, key) for key, value in node.items() if isinstance(value, str) and key.endswith("Ref")]
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
    return found
