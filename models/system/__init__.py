"""The machine: memory and interrupts."""
