"""Where setup.py finds a CUDA toolkit, in trees of empty files, and what it makes of TORCH_CUDA_ARCH_LIST."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "csrc/packaging"))
import cuda_toolkit
from cuda_toolkit import arch_flags, architectures, find_toolkit

NVCC = """#!/bin/sh
case "$1" in
--dryrun) echo '#$ TOP={top}' >&2 ;;
--list-gpu-arch) printf 'compute_80\\ncompute_87\\ncompute_90\\n' ;;
esac
"""


def place(root, *names, top=""):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NVCC.format(top=top) if name.endswith("nvcc") else "")
        path.chmod(0o755)
    return root


LAYOUTS = {  # nvcc, headers, libraries, below a root; and the toolkit's folder there
    "nvidia": ("bin/nvcc", "include", "lib64", ""),
    "conda": ("bin/nvcc", "targets/x86_64-linux/include", "targets/x86_64-linux/lib", ""),
    "conda-arm": ("bin/nvcc", "targets/sbsa-linux/include", "targets/sbsa-linux/lib", ""),
    "debian": ("lib/nvidia-cuda-toolkit/bin/nvcc", "include", "lib/x86_64-linux-gnu", "lib/nvidia-cuda-toolkit"),
}


@pytest.fixture(params=LAYOUTS)
def layout(request, tmp_path):
    nvcc, include, libraries, home = LAYOUTS[request.param]
    root = tmp_path / "a root"
    place(root, nvcc, f"{include}/cuda_runtime_api.h", f"{libraries}/libcudart_static.a")
    return root / home, root / include, root / libraries


def test_each_layout_is_found_by_its_compiler_on_the_path(layout):
    home, include, libraries = layout
    toolkit, said = find_toolkit({"PATH": str(home / "bin")}, usual=())
    assert said == ""
    assert toolkit == (home, home / "bin/nvcc", include, [libraries])


def test_a_script_in_front_of_the_compiler_is_seen_through(layout, tmp_path):
    home, include, _ = layout
    place(tmp_path / "scripts", "bin/nvcc", top=home)
    toolkit, _ = find_toolkit({"PATH": str(tmp_path / "scripts/bin")}, usual=())
    assert (toolkit.home, toolkit.include) == (home, include)


def test_a_link_to_the_compiler_is_followed(layout, tmp_path):
    home, *_ = layout
    (tmp_path / "links").mkdir()
    (tmp_path / "links/nvcc").symlink_to(home / "bin/nvcc")
    assert find_toolkit({"PATH": str(tmp_path / "links")}, usual=())[0].home == home


@pytest.mark.parametrize("variable", ["CUDA_HOME", "CUDA_PATH"])
def test_a_given_folder_comes_before_any_other(variable, layout, tmp_path):
    other = place(tmp_path / "other", "bin/nvcc", "include/cuda_runtime_api.h", "lib64/libcudart_static.a")
    home, *_ = layout
    toolkit, _ = find_toolkit({variable: str(home), "PATH": str(other / "bin")}, usual=(other,))
    assert toolkit.home == home


def test_a_given_folder_without_a_toolkit_is_an_error_that_names_it(layout, tmp_path):
    home, *_ = layout
    with pytest.raises(SystemExit, match=r"CUDA_HOME=.*/empty: no CUDA toolkit there: .*/empty has no bin/nvcc"):
        find_toolkit({"CUDA_HOME": str(tmp_path / "empty"), "PATH": str(home / "bin")}, usual=(home,))


def test_a_compiler_without_headers_is_told(tmp_path):
    home = place(tmp_path / "half", "bin/nvcc")
    toolkit, said = find_toolkit({"PATH": str(home / "bin")}, usual=())
    assert toolkit is None
    assert said.startswith(f"{home}/bin/nvcc is there, but cuda_runtime_api.h is not in {home}/include")
    place(home, "include/cuda_runtime_api.h")
    assert "libcudart_static.a is not in" in find_toolkit({"PATH": str(home / "bin")}, usual=())[1]


def test_nothing_there_is_no_news(tmp_path):
    assert find_toolkit({"PATH": str(tmp_path)}, usual=(tmp_path / "none",)) == (None, "")


@pytest.fixture
def nvcc(tmp_path):
    return place(tmp_path, "bin/nvcc") / "bin/nvcc"


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ("", "8.0 9.0+PTX"),  # of the default what this nvcc knows
        ("8.0;9.0a 10.0+PTX", "8.0 9.0a 10.0+PTX"),
        ("Ampere", "8.0 8.6+PTX"),
        ("Ampere+Tegra;Hopper", "8.7 9.0+PTX"),
        ("8.0, Ampere", "8.0 8.6+PTX"),
        ("Common", "8.0 9.0+PTX"),
        ("All;9.0", "8.0 8.7 9.0+PTX 9.0"),
    ],
)
def test_architectures(wanted, numbers, nvcc):
    assert architectures(wanted, nvcc) == numbers.split()


@pytest.mark.parametrize("wrong", ["Amper", "sm_90", "9", "ampere"])
def test_an_unknown_architecture_is_an_error(wrong, nvcc):
    with pytest.raises(SystemExit, match=rf"got '{wrong}', want numbers like 9.0 or 10.0\+PTX, or .*Hopper.*, All"):
        architectures(f"8.0;{wrong}", nvcc)


def test_names_are_those_of_torch():
    source = Path(pytest.importorskip("torch").__file__).parent / "utils/cpp_extension.py"
    text = source.read_text()
    for name, numbers in cuda_toolkit.NAMES.items():
        assert f"('{name}', '" in text, name
        if not name.startswith("Blackwell"):  # torch changes that one with its releases
            assert f"'{numbers}'" in text, name


def test_flags():
    assert arch_flags(["8.0", "9.0a+PTX"]) == [
        "-gencode=arch=compute_80,code=sm_80",
        "-gencode=arch=compute_90a,code=sm_90a",
        "-gencode=arch=compute_90a,code=compute_90a",
    ]


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1\n", "of another machine"])
def test_an_nvcc_that_does_not_run_is_told(content, tmp_path):
    home = place(tmp_path / "home", "bin/nvcc", "include/cuda_runtime_api.h", "lib64/libcudart_static.a")
    (home / "bin/nvcc").write_text(content)
    toolkit, said = find_toolkit({"PATH": str(home / "bin")}, usual=())
    assert toolkit is None
    assert said.startswith(f"{home}/bin/nvcc is there, but does not run, or is older than CUDA 11: ")
    with pytest.raises(SystemExit, match=r"no CUDA toolkit there: .*does not run"):
        find_toolkit({"CUDA_HOME": str(home)})
