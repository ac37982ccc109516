"""The world's records in the JSON shapes of GitHub's REST API and webhooks.

Pure functions of records and addresses. Key sets follow the schemas of GitHub's OpenAPI
description (api.github.com and webhooks); what the sandbox has no use for is empty or zero.
"""

from bot.sandbox.shapes.common import (
    account_shape,
    app_shape,
    installation_shape,
    label_shape,
    organization_shape,
    public_user_shape,
    repository_shape,
    stamp,
)
from bot.sandbox.shapes.conversation import (
    check_shape,
    comment_shape,
    issue_shape,
    pull_shape,
    reaction_shape,
    review_shape,
)
from bot.sandbox.shapes.history import (
    branch_shape,
    commit_shape,
    content_shape,
    diff_shape,
    git_commit_shape,
    push_shape,
    ref_shape,
    tree_shape,
)

__all__ = [
    "account_shape",
    "app_shape",
    "branch_shape",
    "check_shape",
    "comment_shape",
    "commit_shape",
    "content_shape",
    "diff_shape",
    "git_commit_shape",
    "installation_shape",
    "issue_shape",
    "label_shape",
    "organization_shape",
    "public_user_shape",
    "pull_shape",
    "push_shape",
    "reaction_shape",
    "ref_shape",
    "repository_shape",
    "review_shape",
    "stamp",
    "tree_shape",
]
