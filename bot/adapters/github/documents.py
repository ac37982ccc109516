"""The GraphQL documents of the bot: what REST has no operation for.

Source: GitHub's public GraphQL schema; the contract tests validate each against it.
"""

from __future__ import annotations

MERGING = """query Merging($id: ID!) { node(id: $id) { ... on PullRequest {
  headRefOid isMergeQueueEnabled mergeStateStatus
  mergeQueueEntry { position state }
  repository { autoMergeAllowed mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed } } } }"""

QUEUE = """query Queue($owner: String!, $name: String!, $branch: String!) { repository(owner: $owner, name: $name) {
  mergeQueue(branch: $branch) { entries(first: 100) { nodes {
    baseCommit { oid } headCommit { oid } pullRequest { number } } } } } }"""

ENQUEUE = """mutation Enqueue($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { clientMutationId } }"""

DEQUEUE = """mutation Dequeue($input: DequeuePullRequestInput!) {
  dequeuePullRequest(input: $input) { clientMutationId } }"""

ENABLE = """mutation Enable($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { clientMutationId } }"""

DISABLE = """mutation Disable($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { clientMutationId } }"""
