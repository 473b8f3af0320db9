"""Training of the segmenter and the embedder; needs the ``train`` extra."""
