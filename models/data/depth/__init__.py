"""How far away what is seen lies: disparity, its range, confidence, and depth where a camera is known."""
