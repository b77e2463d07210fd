"""Networks in folders, and on the Hugging Face Hub: ``config.json`` and ``model.safetensors``.

The files and the methods are those of ``huggingface_hub.PyTorchModelHubMixin``. It is not a base of the network: then
every import of the package would need and load ``huggingface_hub``, which a folder on disk does not.
"""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

from safetensors.torch import load_file
from torch import nn

from ..io.atomic import atomic_path, make_output_folder
from ..io.errors import LfdeblurError
from .configuration import Configuration
from .state_dicts import check_tensors, loaded
from .tensor_files import tensor_file

CONFIG, TENSORS, CARD = "config.json", "model.safetensors", "README.md"
Network = TypeVar("Network", bound="Pretrained")


class PretrainedError(LfdeblurError, ValueError):
    """A folder, or a repository of the Hub, that is no network; the message names it and says why."""


class Pretrained(nn.Module):
    """Adds ``from_pretrained``, ``save_pretrained`` and ``push_to_hub`` to a network with a ``configuration``."""

    configuration: Configuration

    @classmethod
    def from_pretrained(
        cls: type[Network],
        name: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
    ) -> Network:
        """A network from a folder that ``save_pretrained`` wrote, or from a repository of the Hugging Face Hub.

        Args:
            name: a folder, read without network and without ``huggingface_hub``; else ``OWNER/NAME`` on the Hub.
            revision, cache_dir, token, local_files_only: of the Hub, as ``huggingface_hub.hf_hub_download`` has them.

        Returns: the network in float32, in evaluation mode on the CPU.

        Raises:
            PretrainedError: a file is missing, damaged or not that of this network, or the Hub is needed and the extra
                ``hub`` is not installed.
        """
        if Path(name).is_dir():
            paths = [Path(name) / file for file in (CONFIG, TENSORS)]
        else:
            options = {
                "revision": revision,
                "cache_dir": cache_dir,
                "token": token,
                "local_files_only": local_files_only,
            }
            paths = [_downloaded(str(name), file, options) for file in (CONFIG, TENSORS)]
        return _read(cls, *paths)

    def save_pretrained(self, folder: str | Path, *, card: str | None = None) -> None:
        """Write ``config.json`` and ``model.safetensors`` into a folder, made if missing; each whole or not at all.

        Args:
            folder: where. Files of the same names are replaced.
            card: text of a model card, written as ``README.md``.

        Raises: OutputError: that fails.
        """
        folder = make_output_folder(folder)
        for file, data in contents(self, card).items():
            with atomic_path(folder / file) as temporary:
                temporary.write_bytes(data)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        card: str | None = None,
        commit_message: str = "DRBNet by lfdeblur",
        private: bool | None = None,
        token: str | None = None,
    ) -> str:
        """Upload the files of ``save_pretrained`` to the Hugging Face Hub; the repository is made if missing.

        Args:
            repo_id: ``OWNER/NAME``.
            card: as ``save_pretrained``.
            commit_message, private, token: as ``huggingface_hub.HfApi`` has them.

        Returns: the address of the commit.

        Raises: PretrainedError: the extra ``hub`` is not installed. What the Hub refuses raises its own errors.
        """
        api = _hub(f"push_to_hub({repo_id!r})").HfApi(token=token)
        repository = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, card=card)
            return str(api.upload_folder(repo_id=repository, folder_path=folder, commit_message=commit_message))


def contents(network: Pretrained, card: str | None, told: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """The files of ``save_pretrained``, by name; ``told``: metadata beside the tensors."""
    state = {name: value.detach().contiguous().cpu() for name, value in network.state_dict().items()}
    files = {
        TENSORS: tensor_file(state, {"format": "pt"} | dict(told or {})),
        CONFIG: (json.dumps(dataclasses.asdict(network.configuration), indent=2) + "\n").encode(),
    }
    return files if card is None else files | {CARD: card.encode()}


def _hub(wanted: str) -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise PretrainedError(f"{wanted}: needs the extra 'hub': pip install 'lfdeblur[hub]'") from error


def _downloaded(name: str, file: str, options: dict[str, Any]) -> Path:
    hub = _hub(f"{name}: no such folder; the Hugging Face Hub")
    try:
        return Path(hub.hf_hub_download(name, file, **options))
    except (ValueError, OSError) as error:  # the roots of the Hub's errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise PretrainedError(f"{name}: no such folder, and the Hub gives no {file} ({reason})") from error


def _read(cls: type[Network], config: Path, tensors: Path) -> Network:
    for path in (config, tensors):
        if not path.is_file():
            raise PretrainedError(f"{path.parent}: holds no {path.name}, which save_pretrained writes")
    try:
        told = json.loads(config.read_text())
        fields = [field.name for field in dataclasses.fields(Configuration)]
        # Others may have added keys of their own, as the Hub's libraries do.
        ours = {key: told[key] for key in fields if key in told} if isinstance(told, dict) else {}
        if not ours:
            raise ValueError(f"it tells none of {', '.join(fields)}")
        configuration = Configuration(**ours)
    except (TypeError, ValueError) as error:
        raise PretrainedError(f"{config}: no configuration of DRBNet: {error}") from error
    try:
        state = load_file(tensors)
        check_tensors(state)
        return cast(Network, loaded(cls, dataclasses.asdict(configuration), state))
    except Exception as error:  # safetensors has errors of its own
        reason = " ".join(str(error).split())[:300]
        raise PretrainedError(f"{tensors}: not the tensors of {config.name}: {reason}") from error
