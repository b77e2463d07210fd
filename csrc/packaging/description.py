"""README.md as an index of packages shows it: there, a path into the repository leads nowhere."""

import re


def for_index(readme: str) -> str:
    """Pictures of the repository are left out, with the line in italics below them; links into it become plain text."""
    paragraphs = re.split(r"\n{2,}", readme.strip())
    pictures = [bool(re.fullmatch(r"!\[[^\]]*\]\((?!https?:)[^)]*\)", text)) for text in paragraphs]
    captions = [True in pictures[i - 1 : i] and text.startswith("*") for i, text in enumerate(paragraphs)]
    kept = [text for text, *drop in zip(paragraphs, pictures, captions, strict=True) if not any(drop)]
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)[^)]*\)", r"\1", "\n\n".join(kept)) + "\n"
