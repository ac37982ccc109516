"""YAML text to splits and back: byte-exact edits of manifests."""
