"""One file a way of timing targets."""
