"""The Action: one event of a workflow in, the same use cases, outputs out. No server, no checkout.

``filter`` and ``event`` need nothing but Python; everything heavy is imported by ``run``, when there is work.
"""
