"""Are machine, installation and bundle fit for work, and which command mends what is not.

Nothing here that decides imports NumPy, OpenCV, hnswlib or an interpreter: what is broken must not
break the diagnosis. Only :mod:`edgeseg.diagnosis.tasks` does, in child processes.
"""
