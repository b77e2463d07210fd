"""How an optimised network runs: bands of rows on the CPU, graphs on CUDA."""
