"""The one loop, its objectives and its randomness."""
