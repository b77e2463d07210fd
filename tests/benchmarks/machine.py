"""A machine that was not measured."""

MACHINE = {
    "device": "cpu",
    "name": "a processor",
    "threads": 2,
    "versions": {"torch": "2", "scipy": None},
    "cuda": None,
    "build_info": {"cpu_capability": "avx2"},
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "read_gb_s": 20.0,
    "copy_gb_s": 15.0,
    "peak_gflop_s": {"float32": 100.0, "bfloat16": 200.0},
}
