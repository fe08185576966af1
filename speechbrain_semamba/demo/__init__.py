"""A page to try models on in a browser: the command ``semamba demo``.

- ``uploads``: what visitors may send, and what they get for it
- ``page``: the page that they see
- ``server``: who serves it, and what is left on the disk
"""
