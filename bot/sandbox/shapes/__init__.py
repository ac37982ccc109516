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
    comment_shape,
    issue_shape,
    pull_shape,
    reaction_shape,
    review_shape,
    team_shape,
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
from bot.sandbox.shapes.reports import (
    check_shape,
    combined_status_shape,
    deployment_shape,
    deployment_status_shape,
    status_shape,
    suite_shape,
)
from bot.sandbox.shapes.rules import (
    branch_protection_shape,
    protection_shape,
    required_checks_shape,
    rule_shape,
    ruleset_shape,
)

__all__ = [
    "account_shape",
    "app_shape",
    "branch_protection_shape",
    "branch_shape",
    "check_shape",
    "combined_status_shape",
    "comment_shape",
    "commit_shape",
    "content_shape",
    "deployment_shape",
    "deployment_status_shape",
    "diff_shape",
    "git_commit_shape",
    "installation_shape",
    "issue_shape",
    "label_shape",
    "organization_shape",
    "protection_shape",
    "public_user_shape",
    "pull_shape",
    "push_shape",
    "reaction_shape",
    "ref_shape",
    "repository_shape",
    "required_checks_shape",
    "review_shape",
    "rule_shape",
    "ruleset_shape",
    "stamp",
    "status_shape",
    "suite_shape",
    "team_shape",
    "tree_shape",
]
