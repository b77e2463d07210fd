"""What runs on, or looks into, GPU kernels: machine code, launches, parameter sweeps, sanitizer runs."""
