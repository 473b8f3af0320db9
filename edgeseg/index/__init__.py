"""The search behind a catalogue: graph, golden queries, and what leads to the next generation."""
