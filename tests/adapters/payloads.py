"""Payloads as small as routing allows."""

from __future__ import annotations

import json


def comment_on(number: int, *, repository: str = "shop/customer", installation: int = 9) -> bytes:
    return json.dumps(
        {
            "action": "created",
            "installation": {"id": installation},
            "repository": {"full_name": repository},
            "issue": {"number": number, "pull_request": {}},
            "comment": {"body": "/canary 25", "user": {"type": "User"}},
        }
    ).encode()
