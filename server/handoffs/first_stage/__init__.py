"""The first stage of a start on stdio: answers a host's first requests while the rest of the server is imported.

To import the MCP SDK takes most of a second, several on a busy machine, and hosts give up meanwhile. So a process
begins with the standard library alone: a thread reads the pipe and answers what a snapshot holds, which an earlier
start made of the real server's replies. The second stage takes the pipe over with all that came, puts the same requests
to the real server, and compares. Its rules:

- Only `initialize`, `server/discover`, `ping` and the first pages of lists are answered; everything else waits.
- A snapshot holds for one version of the packages' files, one Python, one set of settings; and in it an answer for one
  client with its version and abilities. Where any of these is another, the start is as without a snapshot.
- A snapshot is made of a start that succeeded. It is sealed, and its owner's alone: it holds words to the model.
- Where a reply of the real server differs, the snapshot is removed and the process says so.

Nothing in here imports more than the standard library.
"""
