"""The publisher: its keys, its signed metadata, and where the files go."""
