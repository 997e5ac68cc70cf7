"""`handoffs hook HOST`: the permission prompts of a host come to the desk, by that host's own hooks.

A host starts the command for one use of a tool, writes JSON to it, and does what the JSON that it prints says. Most
hosts go on *as if there were no hook* where that is late, dead, or prints anything else. So:

- It prints exactly one JSON object, and nothing else, and its exit code is 0. What goes wrong is a denial in words.
- It denies by itself a few seconds before the time-out that the host's file names.
- Where a permission that is remembered allows the use, `quick` answers without a desk, and imports little.

`shapes` is the format of each host. `command` reads, prints and watches the time. `quick` answers at once where it can,
`settings` finds the store for it. `asking` asks a person, `questions` and `forms` what is no use of a tool.
"""
