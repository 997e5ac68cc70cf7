"""`handoffs install`: adds, updates and removes our entry in a host's configuration.

`hosts` is the table of the hosts; `json_text`, `yaml_text` and `toml_text` edit a text and leave the rest unchanged;
`planning` makes the new text and verifies it; `writing` is the only part that touches a file; `launching` is the
command in the entry. A configuration that can't be read, or whose change can't be verified, is not changed.
`gating` says which servers a host has, and plans the gate before one; `wrapping` is the change of its text.
"""
