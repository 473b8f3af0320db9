"""The bytes of a bundle and of a catalogue: reader and writer together, specified in FORMAT.md."""
