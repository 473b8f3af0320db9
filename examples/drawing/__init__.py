"""Drawn garments: a catalogue on white and busy snapshots, from seeds alone, no photographs."""
