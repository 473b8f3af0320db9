"""Small runnable examples of edgeseg; every one of them is run by a test."""
