"""Making labels without drawing them by hand."""
