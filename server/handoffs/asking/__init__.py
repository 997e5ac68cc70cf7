"""How a person is asked through a host, and what the host's reply means. Pure: no SDK, no I/O, no clock.

`plan` chooses how a call is carried out, `host_dialog` writes a dialog's form, `judge` interprets its reply.
"""
