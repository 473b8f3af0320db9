"""The TFLite graph: made, looked into, rewritten for XNNPACK."""
