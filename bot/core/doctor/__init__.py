"""What a repository lacks for the bot: facts in, findings out.

``tree`` judges the files of a working tree, ``forge`` what GitHub says of the repository. Both give
``Finding`` values of the kinds in ``catalogue``; nothing here reads a file or sends a request.
"""
