"""`handoffs install`: our entry in a host's own configuration, put there, kept right, taken out again.

`handoffs gate install`: the gate before the servers that stand there.

`hosts` is the table of what is known of each host; `json_text`, `yaml_text` and `toml_text` change a text and leave
everything else in it as it is; `planning` says what has to change and proves it; `writing` is the only part that
touches a file; `launching` is the command that a host is given. `gating` says which servers a host has, and plans
the gate before one; `wrapping` is the change of its text. Nothing here guesses: what can't be read, or proved,
is left alone.
"""
