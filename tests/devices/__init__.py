"""edgeseg on the machines it is made for: other processors, other runtimes, little memory."""
