"""A bench on another device, from the desk.

How the parts fit: ``address`` reads where; a ``transport`` (``ssh``, ``adb``) opens one two-way
stream to a shell there; ``bootstrap`` is the shell command that finds a Python and starts the
``agent``, which owns a folder and leaves nothing; ``connection`` is the desk's end of that stream;
``session`` takes the steps, with edgeseg itself as a ``wheel`` and its ``requirements`` seen to.
"""
