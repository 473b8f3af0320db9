"""The networks, one file each, built from the layers of the framework that the caller passes."""
