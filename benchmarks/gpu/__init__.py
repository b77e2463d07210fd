"""What is measured on a GPU, or said of it without one."""
