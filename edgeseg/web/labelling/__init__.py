"""The label page (``edgeseg label serve``): its handlers, and its page as package data."""
