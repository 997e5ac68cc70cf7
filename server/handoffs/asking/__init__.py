"""How a person is asked by way of a host, and what the host's reply means. Pure: no SDK, no I/O, no clock.

`plan` chooses how one call is carried out, `host_dialog` what a host's dialog is sent, `judge` what its reply means.
"""
