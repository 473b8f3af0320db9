"""``make verify``: every figure that edgeseg promises, measured again through its own commands."""
