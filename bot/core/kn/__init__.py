"""The traffic operations of ``kn service update``: ``--untag``, ``--tag`` and ``--traffic``, without a cluster.

``flags`` reads what was typed and verifies it, ``update`` edits targets by it.
"""
