"""``--to openvino``: OpenVINO's own files, ``.xml`` and ``.bin``."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from ..inference.exported import SECTION


def write_ir(model: onnx.ModelProto, told: Mapping[str, str], narrow: bool, xml: Path) -> None:
    """Convert an ONNX model to ``xml`` and the ``.bin`` beside it.

    ``told`` goes into its run-time information, section ``lfdeblur``. ``narrow``: weights are stored in float16. Raises
    OSError: the disk is full, or the like.
    """
    import openvino

    core = openvino.Core()
    converted = core.read_model(model.SerializeToString())
    for key, value in told.items():
        converted.set_rt_info(value, [SECTION, key])
    try:
        openvino.save_model(converted, xml, compress_to_fp16=narrow)
    except RuntimeError as error:
        raise OSError(f"OpenVINO fails ({str(error).splitlines()[-1]})") from error
