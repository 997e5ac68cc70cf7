"""`handoffs acp` and `handoffs codex`: between an agent and its editor, which asks the person in a dialog of its own.

Each line passes byte for byte. A request by which the agent asks the person becomes a question at the desk, too, and
the first answer goes to the agent; the other side is told that it is over.

`asked` is what such a request is, and what a table of them says: `acp` and `codex` are the tables, and
`codex_questions` is a row. `relay` passes the lines, and imports little. `answers` asks at the desk; it is imported
when somebody is asked. `command` starts it all.
"""
