"""The first stage of a start on stdio: answers a host's first requests while the rest of the server is imported.

Importing the MCP SDK takes most of a second, and several on a busy machine; hosts give up meanwhile. So a process
begins with the standard library alone: a thread reads the pipe and answers from a snapshot, which an earlier start made
of the real server's replies. The second stage takes over the pipe with all its messages, gives the same requests to the
real server, and compares the replies. The rules:

- Only `initialize`, `server/discover`, `ping` and the first pages of lists are answered; everything else waits.
- A snapshot is valid for one version of the packages' files, one Python and one set of settings; an answer in it for
  one client with its version and abilities. If any of these differs, the start goes as without a snapshot.
- A snapshot is made of a successful start. It is sealed, and private to its owner: it holds texts to the model.
- If a reply of the real server differs, the snapshot is removed, and the process logs it.

This package imports only the standard library.
"""
