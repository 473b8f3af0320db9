"""Catalogues of more pictures than one process should embed: kept work, shards, engines.

The order of a build is that of the files: a ``listing`` of items goes into the ``ledger``; pictures
that it does not know yet are cut into ``chunks``; an ``engine`` has each chunk done by a ``worker``
somewhere, which fetches from the pictures' ``places`` and writes a ``part``; and of all parts the
catalogues are ``assembled``. ``building`` leads through it.
"""
