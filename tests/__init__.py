"""The tests of edgeseg, converters and device_bench."""
