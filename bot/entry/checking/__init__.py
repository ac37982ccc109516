"""Checking a tree of files: which ones, read how, told how."""
